/* Versions, errors, texts, and the rule for structures that grow. */
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

static void version_is_that_of_the_header(void) {
  CHECK_TEXT(tandem_version(), TANDEM_VERSION_STRING);
  CHECK(tandem_version_number() ==
        TANDEM_VERSION_MAJOR * 1000000u + TANDEM_VERSION_MINOR * 1000u + TANDEM_VERSION_PATCH);
}

static void errors_have_names(void) {
  CHECK_TEXT(tandem_error_name(TANDEM_OK), "ok");
  CHECK_TEXT(tandem_error_name(TANDEM_ERR_INVALID_ARGUMENT), "invalid_argument");
  CHECK_TEXT(tandem_error_name(TANDEM_ERR_INTERNAL), "internal");
  CHECK_TEXT(tandem_error_name(-1000), "unknown");
  CHECK_TEXT(tandem_error_name(7), "unknown");
}

static void last_error_is_emptied_by_success_and_kept_by_void(void) {
  int64_t units = 0;
  tandem_text* text = NULL;
  CHECK_ERROR(tandem_amount_parse("1.x", &units), TANDEM_ERR_INVALID_ARGUMENT, "1.x");
  CHECK(tandem_last_error()[0] != '\0');
  tandem_text_destroy(NULL);
  tandem_rewrite_rules_destroy(NULL);
  CHECK(tandem_last_error()[0] != '\0');
  CHECK(tandem_amount_format(60000000, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_last_error(), "");
  CHECK_TEXT(tandem_text_data(text), "0.60");
  CHECK(tandem_text_size(text) == 4);
  tandem_text_destroy(text);
  CHECK_TEXT(tandem_text_data(NULL), "");
  CHECK(tandem_text_size(NULL) == 0);
}

static void* fail_on_another_thread(void* unused) {
  int64_t units;
  (void)unused;
  CHECK_TEXT(tandem_last_error(), "");
  CHECK(tandem_amount_parse("other thread", &units) == TANDEM_ERR_INVALID_ARGUMENT);
  return NULL;
}

static void last_error_is_per_thread(void) {
  int64_t units;
  pthread_t thread;
  CHECK(tandem_amount_parse("this thread", &units) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(pthread_create(&thread, NULL, fail_on_another_thread, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(strstr(tandem_last_error(), "this thread") != NULL);
}

static void a_long_message_is_cut_between_characters(void) {
  static char text[5000];
  int64_t units;
  size_t i;
  for (i = 0; i + 2 < sizeof text; i += 2)
    memcpy(text + i, "\xc3\xa4", 2);
  CHECK(tandem_time_parse(text, &units) == TANDEM_ERR_INVALID_ARGUMENT);
  i = strlen(tandem_last_error());
  CHECK(i < 1024);
  CHECK(i == 0 || (unsigned char)tandem_last_error()[i - 1] != 0xc3);
}

static void values_are_read_and_written(void) {
  int64_t value = 0;
  int32_t reason = 0;
  tandem_text* text = NULL;
  CHECK(tandem_amount_parse("-0.0165", &value) == TANDEM_OK);
  CHECK(value == -1650000);
  CHECK(tandem_time_parse("2026-11-25T12:00:00Z", &value) == TANDEM_OK);
  CHECK(tandem_time_format(value, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "2026-11-25T12:00:00.000000Z");
  tandem_text_destroy(text);
  CHECK(tandem_reason_from_name("RateNotFound", &reason) == TANDEM_OK);
  CHECK_TEXT(tandem_reason_name(reason), "RateNotFound");
  CHECK_TEXT(tandem_reason_name(1 << 20), "InternalError");
  CHECK_ERROR(tandem_reason_from_name("Nonsense", &reason), TANDEM_ERR_NOT_FOUND, "Nonsense");
}

static void null_is_refused(void) {
  int64_t value;
  CHECK_ERROR(tandem_amount_parse(NULL, &value), TANDEM_ERR_INVALID_ARGUMENT, "text was NULL");
  CHECK_ERROR(tandem_amount_parse("1", NULL), TANDEM_ERR_INVALID_ARGUMENT, "units was NULL");
  CHECK_ERROR(tandem_amount_format(1, NULL), TANDEM_ERR_INVALID_ARGUMENT, "out was NULL");
}

/* What a program built against a later tandem.h would pass. */
struct later_fee_rules {
  tandem_fee_rules known;
  int64_t new_member;
};

static void structures_may_be_newer_when_the_new_bytes_are_zero(void) {
  const tandem_fee_rules initial = TANDEM_FEE_RULES_INIT;
  struct later_fee_rules rules;
  int64_t seconds = 0;
  memset(&rules, 0, sizeof rules);
  rules.known = initial;
  rules.known.struct_size = sizeof rules;
  CHECK(tandem_billable_seconds(1050, &rules.known, &seconds) == TANDEM_OK);
  CHECK(seconds == 2);
  rules.new_member = 1;
  CHECK_ERROR(tandem_billable_seconds(1050, &rules.known, &seconds), TANDEM_ERR_UNSUPPORTED,
              "tandem_fee_rules");
}

static void a_structure_without_its_size_is_refused(void) {
  tandem_fee_rules rules = TANDEM_FEE_RULES_INIT;
  int64_t seconds;
  rules.struct_size = 0;
  CHECK_ERROR(tandem_billable_seconds(1, &rules, &seconds), TANDEM_ERR_INVALID_ARGUMENT,
              "struct_size 0");
  rules.struct_size = sizeof rules - 1;
  CHECK_ERROR(tandem_billable_seconds(1, &rules, &seconds), TANDEM_ERR_INVALID_ARGUMENT,
              "struct_size");
  rules.struct_size = (size_t)-1;
  CHECK_ERROR(tandem_billable_seconds(1, &rules, &seconds), TANDEM_ERR_INVALID_ARGUMENT,
              "struct_size");
}

struct later_charge {
  tandem_charge known;
  int64_t new_member;
};

static void a_newer_result_structure_gets_zeros(void) {
  tandem_rate rate = TANDEM_RATE_INIT;
  struct later_charge charge;
  memset(&charge, 0xff, sizeof charge);
  charge.known.struct_size = sizeof charge;
  rate.price_units = 60000000;
  CHECK(tandem_rate_call(&rate, 1000, NULL, &charge.known) == TANDEM_OK);
  CHECK(charge.known.charge_units == 1000000);
  CHECK(charge.new_member == 0);
  CHECK(charge.known.struct_size == sizeof charge);
  charge.known.struct_size = 0;
  CHECK_ERROR(tandem_rate_call(&rate, 1000, NULL, &charge.known), TANDEM_ERR_INVALID_ARGUMENT,
              "tandem_charge");
}

int main(void) {
  version_is_that_of_the_header();
  errors_have_names();
  last_error_is_emptied_by_success_and_kept_by_void();
  last_error_is_per_thread();
  a_long_message_is_cut_between_characters();
  values_are_read_and_written();
  null_is_refused();
  structures_may_be_newer_when_the_new_bytes_are_zero();
  a_structure_without_its_size_is_refused();
  a_newer_result_structure_gets_zeros();
  return check_result();
}
