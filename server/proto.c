#include "proto.h"

static const struct proto *const protocols[] = {&proto_upload, &proto_download,
    &proto_remote_stream, &proto_throughput, &proto_control, &proto_log_output, &proto_message};

const struct proto *proto_by_preface(uint8_t first_byte)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (protocols[i]->preface == first_byte)
            return protocols[i];
    }
    return NULL;
}
