/* The commands of cport-bench: each gets its own argv (argv[0] is its name) and returns the exit status. */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

int command_blocked(int argc, char **argv);
int command_churn(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_download(int argc, char **argv);
int command_echo(int argc, char **argv);
int command_fanout(int argc, char **argv);
int command_file(int argc, char **argv);
int command_framed(int argc, char **argv);
int command_idle(int argc, char **argv);
int command_instructions(int argc, char **argv);
int command_post(int argc, char **argv);
int command_sendfile(int argc, char **argv);
int command_timer(int argc, char **argv);
int command_udp(int argc, char **argv);
int command_upload(int argc, char **argv);

#endif
