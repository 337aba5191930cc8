/* The frame of the tests in C: each program counts what was wrong and says so at its end. */
#ifndef TANDEM_TESTS_CHECK_H
#define TANDEM_TESTS_CHECK_H

#include <stdio.h>
#include <string.h>

#include "tandem/tandem.h"

static int check_count;
static int check_failures;

/* Callbacks of the library check on its threads, and C99 has no atomic types. */
static inline void check_add(int* counter) {
  (void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#define CHECK(condition)                                                             \
  do {                                                                               \
    check_add(&check_count);                                                         \
    if (!(condition)) {                                                              \
      check_add(&check_failures);                                                    \
      fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition, \
              tandem_last_error());                                                  \
    }                                                                                \
  } while (0)

/* The call failed with this code, and its message holds this text. */
#define CHECK_ERROR(call, code, text)                                          \
  do {                                                                         \
    const int check_code = (call);                                             \
    check_add(&check_count);                                                   \
    if (check_code != (code) || strstr(tandem_last_error(), text) == NULL) {   \
      check_add(&check_failures);                                              \
      fprintf(stderr, "%s:%d: %s gave %s \"%s\"\n", __FILE__, __LINE__, #call, \
              tandem_error_name(check_code), tandem_last_error());             \
    }                                                                          \
  } while (0)

#define CHECK_TEXT(actual, expected)                                                    \
  do {                                                                                  \
    const char* const check_actual = (actual);                                          \
    check_add(&check_count);                                                            \
    if (check_actual == NULL || strcmp(check_actual, expected) != 0) {                  \
      check_add(&check_failures);                                                       \
      fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #actual, \
              check_actual == NULL ? "(null)" : check_actual, expected);                \
    }                                                                                   \
  } while (0)

static inline int check_result(void) {
  printf("%d checks, %d failed\n", check_count, check_failures);
  return check_failures == 0 ? 0 : 1;
}

#endif
