#pragma once
#include <intel-ipsec-mb.h>

/* The longest content that the library digests beside others: it counts 16 bits of each. */
enum { vault_multibuffer_limit = 65534 };

struct vault_multibuffer_content {
  const void *bytes;
  size_t count;
};

/* What digests contents side by side, the way that suits this processor; NULL when it has none, or there is no memory. */
static inline IMB_MGR *vault_multibuffer_new(void) {
  IMB_MGR *manager = alloc_mb_mgr(0);
  if (!manager) return NULL;
  /* Two contents with the processor's instructions for SHA take less time than eight without. */
  init_mb_mgr_sse(manager);
  if (imb_get_errno(manager) == 0 && manager->features & IMB_FEATURE_SHANI) return manager;
  init_mb_mgr_auto(manager, NULL);
  if (imb_get_errno(manager) == 0) return manager;
  free_mb_mgr(manager);
  return NULL;
}

/* Digests contents of 1 to vault_multibuffer_limit bytes, 32 bytes for each into `digests`. Says how many were done. */
static inline size_t vault_multibuffer_sha256(
    IMB_MGR *manager, const struct vault_multibuffer_content *contents, size_t count, unsigned char *digests) {
  size_t done = 0;
  IMB_JOB *job;
  for (size_t i = 0; i < count; i++) {
    job = IMB_GET_NEXT_JOB(manager);
    job->cipher_mode = IMB_CIPHER_NULL;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_HASH_CIPHER;
    job->hash_alg = IMB_AUTH_SHA_256;
    job->src = contents[i].bytes;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = contents[i].count;
    job->auth_tag_output = digests + 32 * i;
    job->auth_tag_output_len_in_bytes = 32;
    for (job = IMB_SUBMIT_JOB(manager); job; job = IMB_GET_COMPLETED_JOB(manager)) done += job->status == IMB_STATUS_COMPLETED;
  }
  while ((job = IMB_FLUSH_JOB(manager))) done += job->status == IMB_STATUS_COMPLETED;
  return done;
}
