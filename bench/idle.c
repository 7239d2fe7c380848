/* Opens connections to a director as a console would, says hello on each, and holds them until its input ends.
 *
 *   idle PORT IDENTITY KEY COUNT HELLO
 *
 * IDENTITY and KEY (hexadecimal) are those of TLS's pre-shared key; HELLO is the line that begins a conversation. When all
 * are open it prints "ready"; a connection that is refused ends it with a message and status 1. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *identity;
static unsigned char key[64];
static size_t key_length;

static int use_key(SSL *ssl, const EVP_MD *digest, const unsigned char **id, size_t *length, SSL_SESSION **session) {
  static const unsigned char suite[] = {0x13, 0x01};
  const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
  (void)digest;
  *session = SSL_SESSION_new();
  if (!*session || !cipher || !SSL_SESSION_set1_master_key(*session, key, key_length) ||
      !SSL_SESSION_set_cipher(*session, cipher) || !SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION))
    return 0;
  *id = (const unsigned char *)identity;
  *length = strlen(identity);
  return 1;
}

static void fail(const char *what, int number) {
  fprintf(stderr, "connection %d: %s\n", number, what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

int main(int count, char **words) {
  if (count != 6) {
    fprintf(stderr, "usage: idle PORT IDENTITY KEY COUNT HELLO\n");
    return 2;
  }
  identity = words[2];
  for (const char *digit = words[3]; digit[0] && digit[1] && key_length < sizeof key; digit += 2) {
    unsigned byte;
    if (sscanf(digit, "%2x", &byte) != 1) return 2;
    key[key_length++] = (unsigned char)byte;
  }
  int wanted = atoi(words[4]);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
      !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"))
    fail("no TLS 1.3", 0);
  SSL_CTX_set_psk_use_session_callback(context, use_key);
  char line[4096];
  snprintf(line, sizeof line, "%s\n", words[5]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int number = 1; number <= wanted; number++) {
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address)) fail("cannot connect", number);
    /* The hello follows at once; it must not wait for the other side's acknowledgement of the handshake. */
    int yes = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    SSL *ssl = SSL_new(context);
    if (!ssl || !SSL_set_fd(ssl, connection) || SSL_connect(ssl) != 1) fail("no handshake", number);
    if (SSL_write(ssl, line, (int)strlen(line)) <= 0) fail("hello was not sent", number);
    char answer[4096];
    int length = SSL_read(ssl, answer, sizeof answer - 1);
    if (length <= 0) fail("no answer to the hello", number);
    answer[length] = 0;
    if (!strstr(answer, " OK ")) fail(answer, number);
  }
  printf("ready\n");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
