#pragma once
#include <sqlite3.h>
/* SQLITE_TRANSIENT and SQLITE_STATIC are casts of integers to function pointers, which Swift cannot import. */
static inline sqlite3_destructor_type vault_sqlite_transient(void) { return SQLITE_TRANSIENT; }
static inline sqlite3_destructor_type vault_sqlite_static(void) { return SQLITE_STATIC; }
/* sqlite3_config takes any number of arguments, which Swift cannot pass. */
static inline int vault_sqlite_without_statistics(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
