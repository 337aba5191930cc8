/* Packages without a switch (B-14, B-18, B-20..B-24). */
#include "check.h"

#include <string.h>

typedef struct purse {
  int64_t units;
  char key[128];
  char change[4096];
  char phone[64];
} purse;

static int take(const tandem_package_due* due, void* user) {
  purse* const own = user;
  if (strcmp(own->key, due->key) == 0) return 1;
  if (due->must_be_covered && own->units < due->amount_units) return 0;
  own->units -= due->amount_units;
  strcpy(own->key, due->key);
  strcpy(own->phone, due->phone);
  return 1;
}

static int keep(const char* change, void* user) {
  purse* const own = user;
  CHECK(strlen(change) < sizeof own->change);
  strcpy(own->change, change);
  return 0;
}

static const char objects[] =
    "{\"packages\": [{\"id\": \"p\", \"rent_fee\": \"10\", \"gift_money\": \"0.20\","
    "  \"gift_times\": [{\"seconds\": 60}]}],"
    " \"package_orders\": [{\"id\": \"o\", \"package\": \"p\", \"account\": \"acme\"}],"
    " \"accounts\": [{\"id\": \"acme\"}]}";

int main(void) {
  const int64_t now_us = 1767225600000000; /* 2026-01-01 */
  int64_t next_us = 0;
  purse own = {1500000000, "", "", ""};
  tandem_package_book* book = NULL;
  tandem_package_host host = TANDEM_PACKAGE_HOST_INIT;
  tandem_packaged_charge charge = TANDEM_PACKAGED_CHARGE_INIT;
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_text* text = NULL;
  tandem_text* use = NULL;
  rate.price_units = 60000000; /* 0.60 a minute */
  CHECK(tandem_package_book_create(&book) == TANDEM_OK);
  CHECK_ERROR(tandem_package_book_provision(book, "{\"packages\": [{}]}"),
              TANDEM_ERR_INVALID_ARGUMENT, "/packages/0/id");
  CHECK(tandem_package_book_provision(book, objects) == TANDEM_OK);
  CHECK_ERROR(tandem_package_book_advance(book, now_us, &host, NULL), TANDEM_ERR_INVALID_ARGUMENT,
              "take");
  host.take = take;
  host.keep = keep;
  host.user = &own;
  CHECK(tandem_package_book_advance(book, now_us, &host, &next_us) == TANDEM_OK);
  CHECK(next_us == now_us + INT64_C(31) * 86400 * 1000000);
  CHECK(own.units == 500000000);
  CHECK(tandem_package_book_charge(book, "acme", "44", now_us, 90000, &rate, NULL, &charge, &use) ==
        TANDEM_OK);
  CHECK(charge.package_time_s == 60 && charge.package_charge_units == 20000000);
  CHECK(charge.charge_units == 10000000 && charge.billed_time_s == 30);
  CHECK(tandem_package_book_current(book, "acme", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"used_s\":60") != NULL);
  tandem_text_destroy(text);
  tandem_package_book_destroy(book);

  /* After a restart, with what was kept. */
  CHECK(tandem_package_book_create(&book) == TANDEM_OK);
  CHECK(tandem_package_book_provision(book, objects) == TANDEM_OK);
  CHECK(tandem_package_book_restore(book, own.change, tandem_text_data(use)) == TANDEM_OK);
  CHECK(tandem_package_book_restore(book, "{}", NULL) == TANDEM_ERR_CORRUPT);
  tandem_text_destroy(use);
  CHECK(tandem_package_book_charge(book, "acme", "44", now_us, 10000, &rate, NULL, &charge, NULL) ==
        TANDEM_OK);
  CHECK(charge.charge_units == 10000000 && charge.package_time_s == 0);
  CHECK(tandem_package_book_advance(book, next_us, &host, &next_us) == TANDEM_OK);
  CHECK(next_us == INT64_MAX); /* the rent of February waits for money */
  own.units += 1000000000;
  CHECK(tandem_package_book_recharge(book, "acme", now_us + INT64_C(40) * 86400 * 1000000, &host) ==
        TANDEM_OK);
  CHECK(own.units == 500000000);
  tandem_package_book_destroy(book);
  tandem_package_book_destroy(NULL);

  /* A phone's: no other call uses it, and its account pays. */
  CHECK(tandem_package_book_create(&book) == TANDEM_OK);
  CHECK(tandem_package_book_provision(
            book,
            "{\"packages\": [{\"id\": \"p\", \"rent_fee\": \"1\", \"gift_times\": [{\"seconds\": "
            "60}]}],"
            " \"package_orders\": [{\"id\": \"o\", \"package\": \"p\", \"account\": \"acme\","
            "  \"phone\": \"1001\"}]}") == TANDEM_OK);
  own.units = 1000000000;
  own.key[0] = '\0';
  CHECK(tandem_package_book_advance(book, now_us, &host, NULL) == TANDEM_OK);
  CHECK(own.units == 900000000);
  CHECK(strcmp(own.phone, "1001") == 0);
  CHECK(tandem_package_book_charge(book, "acme", "44", now_us, 10000, &rate, NULL, &charge, NULL) ==
        TANDEM_OK);
  CHECK(charge.charge_units == 10000000);
  CHECK(tandem_package_book_phone_charge(book, "acme", "1001", "44", now_us, 10000, &rate, NULL,
                                         &charge, NULL) == TANDEM_OK);
  CHECK(charge.charge_units == 0 && charge.package_time_s == 10);
  CHECK(tandem_package_book_phone_current(book, "1001", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"phone\":\"1001\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_package_book_phone_current(book, "1002", &text) == TANDEM_OK);
  CHECK(strcmp(tandem_text_data(text), "[]") == 0);
  tandem_text_destroy(text);
  tandem_package_book_destroy(book);
  return check_result();
}
