#pragma once
#include <intel-ipsec-mb.h>

/* What a processor must have for two digests at once with its instructions for SHA: a macro that Swift does not import. */
static const uint64_t vault_multibuffer_sha_features = IMB_CPUFLAGS_SSE_T2;
/* A member of a union, for which Swift would copy all of it. */
static inline void vault_multibuffer_set_length(IMB_JOB *job, uint64_t length) { job->msg_len_to_hash_in_bytes = length; }
