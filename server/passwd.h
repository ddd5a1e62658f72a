/* passwd: the command that writes users into the file that --users names. */
#ifndef CPORT_SERVER_PASSWD_H
#define CPORT_SERVER_PASSWD_H

/* argv[0] is "passwd". Returns the exit status: 0 done, 1 could not be done, 2 wrong usage. */
int passwd_run(int argc, char *const *argv);

#endif
