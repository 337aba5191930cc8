/* A prepaid calculator: a price list, an account with money and a limit a day, and calls.
 *
 *     prepaid [DECK.csv BALANCE DAY_LIMIT [CALLS]]
 *
 * CALLS has lines "CALLEE SECONDS"; without a file they are read from the standard input, and
 * without arguments the calculator shows itself on a list of its own. No switch is involved: this
 * is all that a host needs to keep calls of its own inside an account's money, to the second. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tandem/tandem.h"

static const char demo_deck[] =
    "prefix,price,per_s,first_s,next_s,connection_fee\n"
    "44,0.60,60,1,1,0\n"
    "49,0.60,60,60,60,0.05\n";
static const char demo_calls[] = "442079460000 61\n4930123456 61\n7 10\n442079460000 300\n441 5\n";

enum { second_us = 1000000 };
/* Arrival of all calls, so that they count in one day: 2026-06-15T12:00:00Z. */
static const int64_t now_us = INT64_C(1781524800) * second_us;

static int failed(const char* what) {
  fprintf(stderr, "prepaid: %s: %s\n", what, tandem_last_error());
  return 1;
}

/* Prints an amount. */
static void print_amount(int64_t units) {
  tandem_text* text = NULL;
  if (tandem_amount_format(units, &text) == TANDEM_OK) printf("%s", tandem_text_data(text));
  tandem_text_destroy(text);
}

/* Lets a call go on for `seconds`, or until its money or its limit ends. */
static int talk(tandem_call_meter* meter, int64_t seconds) {
  tandem_meter_verdict verdict = TANDEM_METER_VERDICT_INIT;
  tandem_charge charge = TANDEM_CHARGE_INIT;
  int64_t at_us = 0; /* of a clock that began with the answer */
  if (tandem_call_meter_start(meter, 0, &verdict) != TANDEM_OK) return failed("start");
  while (!verdict.must_end && verdict.check_at_monotonic_us < seconds * second_us) {
    if (verdict.check_at_monotonic_us > at_us) at_us = verdict.check_at_monotonic_us;
    if (tandem_call_meter_on_timer(meter, at_us, &verdict) != TANDEM_OK) return failed("timer");
  }
  if (!verdict.must_end) at_us = seconds * second_us;
  if (tandem_call_meter_finish(meter, at_us / 1000, &charge) != TANDEM_OK) return failed("finish");
  printf("%" PRId64 " s for ", at_us / second_us);
  print_amount(charge.charge_units);
  if (verdict.must_end) printf(", cut: %s", tandem_reason_name(verdict.reason));
  return 0;
}

static int call(tandem_account_book* book, const tandem_rate_deck* deck, const char* callee,
                int64_t seconds) {
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_account_state state = TANDEM_ACCOUNT_STATE_INIT;
  tandem_call_meter* meter = NULL;
  int32_t reason = 0;
  int status = 0;
  if (tandem_rate_deck_find(deck, callee, now_us, TANDEM_CALL_LEVEL_NONE, &reason, &rate) !=
      TANDEM_OK)
    return failed(callee);
  if (reason == 0 && tandem_call_meter_open_to(book, "caller", callee, &rate, NULL, now_us, &reason,
                                               &meter) != TANDEM_OK)
    return failed(callee);
  printf("%s: ", callee);
  if (reason != 0) {
    printf("refused: %s", tandem_reason_name(reason));
  } else {
    status = talk(meter, seconds);
    tandem_call_meter_destroy(meter);
  }
  if (status == 0 && tandem_account_book_state(book, "caller", &state) == TANDEM_OK) {
    printf(", ");
    print_amount(state.balance_units);
    printf(" left\n");
  }
  return status;
}

static int run(tandem_account_book* book, const tandem_rate_deck* deck, FILE* file) {
  char line[128], callee[33];
  const char* demo = demo_calls;
  int64_t seconds = 0;
  for (;;) {
    if (file != NULL) {
      if (fgets(line, sizeof line, file) == NULL) return 0;
    } else {
      const size_t length = strcspn(demo, "\n");
      if (*demo == '\0') return 0;
      memcpy(line, demo, length);
      line[length] = '\0';
      demo += length + 1;
    }
    if (sscanf(line, "%32s %" SCNd64, callee, &seconds) != 2 || seconds < 0 || seconds > 86400) {
      fprintf(stderr, "prepaid: no call with 0..86400 seconds: %s\n", line);
      return 1;
    }
    if (call(book, deck, callee, seconds) != 0) return 1;
  }
}

int main(int count, char** words) {
  tandem_rate_deck_builder* builder = NULL;
  tandem_rate_deck* deck = NULL;
  tandem_account_book* book = NULL;
  tandem_account_settings account = TANDEM_ACCOUNT_SETTINGS_INIT;
  char limits[96];
  int64_t balance_units = 0;
  FILE* file = NULL;
  int status = 1;
  if (count != 1 && count != 4 && count != 5) {
    fprintf(stderr, "usage: prepaid [DECK.csv BALANCE DAY_LIMIT [CALLS]]\n");
    return 2;
  }
  const char* const balance = count > 1 ? words[2] : "5.00";
  const char* const day_limit = count > 1 ? words[3] : "3.00";
  account.id = "caller";
  account.currency = "USD";
  account.limits_json = limits;
  snprintf(limits, sizeof limits, "[{\"window\": \"day\", \"max_charge\": \"%.40s\"}]", day_limit);
  if (tandem_rate_deck_builder_create("prices", "USD", &builder) != TANDEM_OK ||
      (count > 1 ? tandem_rate_deck_builder_add_csv_file(builder, words[1])
                 : tandem_rate_deck_builder_add_csv(builder, demo_deck, strlen(demo_deck),
                                                    "demo")) != TANDEM_OK ||
      tandem_rate_deck_builder_build(builder, &deck) != TANDEM_OK ||
      tandem_amount_parse(balance, &balance_units) != TANDEM_OK ||
      tandem_account_book_create(&book) != TANDEM_OK ||
      tandem_account_book_provision(book, &account, balance_units) != TANDEM_OK) {
    failed("setting up");
  } else if (count == 5 && (file = fopen(words[4], "r")) == NULL) {
    perror(words[4]);
  } else {
    status = run(book, deck, count == 4 ? stdin : file);
  }
  if (file != NULL) fclose(file);
  tandem_account_book_destroy(book);
  tandem_rate_deck_destroy(deck);
  tandem_rate_deck_builder_destroy(builder);
  return status;
}
