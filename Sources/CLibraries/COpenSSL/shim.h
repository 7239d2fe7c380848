#pragma once
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Macros that Swift does not import. */
static inline int vault_tls_set_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version) == 1 && SSL_CTX_set_max_proto_version(context, version) == 1;
}
static inline void vault_tls_set_modes(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}
static inline int vault_error_library(unsigned long code) { return ERR_GET_LIB(code); }
static inline int vault_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
/* Whether a queued error is the peer's alert, and which. */
static inline int vault_error_alert(unsigned long code) {
  int reason = ERR_GET_REASON(code);
  return ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ? reason - SSL_AD_REASON_OFFSET : -1;
}
/* The system's errno behind a queued error; 0 for an error of the library's own. */
static inline int vault_error_system(unsigned long code) { return ERR_SYSTEM_ERROR(code) ? ERR_GET_REASON(code) : 0; }
static inline GENERAL_NAMES *vault_alternative_names(const X509 *certificate) { return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL); }
static inline int vault_alternative_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline const ASN1_STRING *vault_alternative_name(const GENERAL_NAMES *names, int index, int kind) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
  return name->type == kind ? (const ASN1_STRING *)name->d.ptr : NULL;
}
