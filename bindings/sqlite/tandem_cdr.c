/* The extension of SQLite, for `.load tandem_cdr` in its shell and load_extension() anywhere. */
#include "tandem/tandem.h"

/* The name that SQLite makes of that of the file. */
__attribute__((visibility("default"))) int sqlite3_tandemcdr_init(void* connection, char** message,
                                                                  const void* api);

int sqlite3_tandemcdr_init(void* connection, char** message, const void* api) {
  /* SQLITE_OK_LOAD_PERMANENTLY: the library is not unloaded with the connection, as its libraries
     have things that live as long as the process. */
  enum { ok = 0, ok_load_permanently = 256 };
  const int code = tandem_cdr_extension_init(connection, message, api);
  return code == ok ? ok_load_permanently : code;
}
