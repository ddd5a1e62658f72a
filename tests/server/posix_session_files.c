/* Recorded sessions of Upload, Download and RemoteStream, in every partition into segments, in a folder that is the same at the
 * start of each. On POSIX systems alone, where this is fast enough; the parsers are the same everywhere. */
#include "script.h"

#include "log.h"

#include <stdio.h>

#define OK(command) "[Response]\r\nCommand=" command "\r\nCode=0"

/* In memory, where there is such a place: thousands of sessions wait for the disk at their Eof. */
static char folder[64];
static struct files *above;
static struct path root; /* of it, in what is above */

/* As every session finds it: a file "f" of eleven bytes. */
static struct files *folder_open(void)
{
    struct path name = {0};
    struct file *file = NULL;
    (void)files_delete_folder(above, &root);
    assert_int_equal(files_make_folder(above, &root), FILES_OK);
    struct files *files = files_open(folder);
    assert_non_null(files);
    assert_true(path_append(&name, text_bytes("f")));
    assert_int_equal(file_open(files, &name, FILE_UPDATE, &file), FILES_OK);
    assert_int_equal(file_write(file, "hello world", 11, 0), FILES_OK);
    file_close(file);
    return files;
}

static int prepare(void **state)
{
    (void)state;
    log_level_set(LOG_ERROR);
    snprintf(folder, sizeof(folder), "/dev/shm/cport-files-XXXXXX");
    if (!mkdtemp(folder)) {
        snprintf(folder, sizeof(folder), "/tmp/cport-files-XXXXXX");
        if (!mkdtemp(folder))
            return -1;
    }
    char *name = strrchr(folder, '/');
    *name = '\0';
    above = files_open(folder);
    *name = '/';
    return above && path_append(&root, text_bytes(name + 1)) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    enum files_result result = files_delete_folder(above, &root);
    files_close(above);
    return result == FILES_OK ? 0 : -1;
}

static struct script *script_of_files(void **state)
{
    struct script *script = script_new(state);
    script->files = folder_open;
    script->role = ROLE_USER;
    return script;
}

static void told(struct script *script, const char *reply, const char *data)
{
    put_packet(script->out, &script->out_len, reply, data);
}

static void ask(struct script *script, const char *command, const char *data)
{
    put_packet(script->in, &script->in_len, command, data);
}

static void uploads_in_any_segments(void **state)
{
    struct script *script = script_of_files(state);
    refused(script, "[Request]\r\nCommand=CreateDir\r\nParentDir=\r\nDirName=d", OK("CreateDir"));
    refused(script, "[Request]\r\nCommand=Dir\r\nParentDir=", OK("Dir") "\r\nItem=d");
    refused(script, "[Request]\r\nCommand=Upload\r\nDirName=\r\nFileName=f",
        OK("Upload") "\r\nFileSize=11");
    ask(script, "[Request]\r\nCommand=Data", ", and all");
    ask(script, "[Request]\r\nCommand=Data\r\n", "");
    ask(script, "[Request]\r\nCommand=Data", " others\r\n[]=");
    refused(script, "[Request]\r\nCommand=Eof", OK("Eof"));
    refused(script, "[Request]\r\nCommand=FileList\r\nDirName=",
        OK("FileList") "\r\nItem=f\x01"
                       "32");
    refused(script, "[Request]\r\nCommand=DeleteFile\r\nDirName=\r\nItem=f", OK("DeleteFile"));
    ask(script, "[Request]\r\nCommand=Data", "without a file");
    told(script, "[Response]\r\nCommand=Data\r\nCode=10\r\nMessage=No file is open", "");
    script->closes = true;
    play(&proto_upload, script);
}

static void downloads_in_any_segments(void **state)
{
    struct script *script = script_of_files(state);
    refused(script, "[Request]\r\nCommand=Active", OK("Active"));
    ask(script,
        "[Request]\r\nCommand=Download\r\nDirName=\r\nFileName=f\r\nFileSize=2\r\nPacketSize=4",
        "");
    ask(script, "[Request]\r\nCommand=Download\r\nFileName=g\r\nFileSize=0\r\nPacketSize=4", "");
    told(script, OK("Download"), "");
    told(script, OK("SendFile") "\r\nFileSize=9", "");
    told(script, OK("Data"), "llo ");
    told(script, OK("Data"), "worl");
    told(script, OK("Data"), "d");
    told(script, "[Response]\r\nCommand=Download\r\nCode=9\r\nMessage=No such file", "");
    refused(script, "[Request]\r\nCommand=FileList",
        OK("FileList") "\r\nItem=f\x01"
                       "11");
    play(&proto_download, script);
}

static void remote_streams_in_any_segments(void **state)
{
    struct script *script = script_of_files(state);
    refused(script, "[Request]\r\nCommand=OpenFile\r\nFileName=f\r\nMode=1", OK("OpenFile"));
    refused(script, "[Request]\r\nCommand=Seek\r\nOffset=-5\r\nSeekOrigin=2",
        OK("Seek") "\r\nOffset=6");
    ask(script, "[Request]\r\nCommand=Write", "=[\r\n\x01");
    told(script, OK("Write") "\r\nCount=5", "");
    refused(script, "[Request]\r\nCommand=SetPosition\r\nPosition=4", OK("SetPosition"));
    ask(script, "[Request]\r\nCommand=Read\r\nCount=100", "");
    told(script, OK("Read") "\r\nCount=7", "o =[\r\n\x01");
    refused(script, "[Request]\r\nCommand=Read\r\nCount=-1",
        "[Response]\r\nCommand=Read\r\nCode=6\r\nMessage=Parameter missing or malformed");
    refused(script, "[Request]\r\nCommand=GetSize", OK("GetSize") "\r\nSize=11");
    refused(script, "[Request]\r\nCommand=CloseFile", OK("CloseFile"));
    play(&proto_remote_stream, script);
}

int main(void)
{
#define SCRIPTED(test) cmocka_unit_test_teardown(test, script_free)
    const struct CMUnitTest tests[] = {
        SCRIPTED(uploads_in_any_segments),
        SCRIPTED(downloads_in_any_segments),
        SCRIPTED(remote_streams_in_any_segments),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
