/* Number policies, rewrite rules, routes, sources, rating, accounts. */
#include "check.h"

static void policies_judge_numbers(void) {
  static const char* const allowed[] = {"44", "49"};
  static const int32_t lengths[] = {12};
  tandem_number_policy_config config = TANDEM_NUMBER_POLICY_CONFIG_INIT;
  tandem_number_policy* policy = NULL;
  int32_t verdict = -1;
  config.allow_callee_prefixes = allowed;
  config.allow_callee_prefixes_count = 2;
  config.callee_lengths = lengths;
  config.callee_lengths_count = 1;
  CHECK(tandem_number_policy_create(&config, &policy) == TANDEM_OK);
  CHECK(tandem_number_policy_judge(policy, "1000", "442079460000", &verdict) == TANDEM_OK);
  CHECK(verdict == TANDEM_NUMBER_ACCEPTED);
  CHECK(tandem_number_policy_judge(policy, NULL, "332079460000", &verdict) == TANDEM_OK);
  CHECK(verdict == TANDEM_NUMBER_CALLEE_NOT_ALLOWED);
  tandem_number_policy_destroy(policy);
  config.callee_lengths = NULL;
  CHECK_ERROR(tandem_number_policy_create(&config, &policy), TANDEM_ERR_INVALID_ARGUMENT,
              "callee_lengths was NULL with a count");
}

static void policies_judge_by_a_plan(void) {
  static const tandem_numbering_plan_entry plan[] = {{"010", "city", NULL, 11, 12},
                                                     {"139", "mobile", "Xian", 11, 11}};
  static const char* const kinds[] = {"city"};
  static const char* const areas[] = {"Xian"};
  static const char* const pairs[] = {"0101:0102"};
  tandem_number_policy_config config = TANDEM_NUMBER_POLICY_CONFIG_INIT;
  tandem_number_policy* policy = NULL;
  int32_t verdict = -1;
  config.plan = plan;
  config.plan_count = 2;
  config.caller_kinds = kinds;
  config.caller_kinds_count = 1;
  config.deny_mobile_areas = areas;
  config.deny_mobile_areas_count = 1;
  config.deny_pairs = pairs;
  config.deny_pairs_count = 1;
  CHECK(tandem_number_policy_create(&config, &policy) == TANDEM_OK);
  CHECK(tandem_number_policy_judge(policy, "01011111111", "4420", &verdict) == TANDEM_OK);
  CHECK(verdict == TANDEM_NUMBER_ACCEPTED);
  CHECK(tandem_number_policy_judge(policy, "0101", "4420", &verdict) == TANDEM_OK);
  CHECK(verdict == TANDEM_NUMBER_CALLER_KIND);
  CHECK(tandem_number_policy_judge(policy, "01011111111", "13911111111", &verdict) == TANDEM_OK);
  CHECK(verdict == TANDEM_NUMBER_MOBILE_AREA_DENIED);
  CHECK(tandem_number_policy_judge(policy, "01011111111", "01021111111", &verdict) == TANDEM_OK);
  CHECK(verdict == TANDEM_NUMBER_PAIR_DENIED);
  tandem_number_policy_destroy(policy);
  config.plan_count = 0;
  CHECK_ERROR(tandem_number_policy_create(&config, &policy), TANDEM_ERR_INVALID_ARGUMENT,
              "kinds of numbers were named, and there was no numbering plan");
  config.caller_kinds_count = 0;
  CHECK_ERROR(tandem_number_policy_create(&config, &policy), TANDEM_ERR_NOT_FOUND,
              "no number of the plan had its home in \"Xian\"");
}

static void numbers_stand_for_others(void) {
  static const tandem_number_transform entries[] = {{"1001", "anna", NULL},
                                                    {"442079460000", NULL, "1002"}};
  static const tandem_number_transform twice[] = {{"1001", "a", NULL}, {"1002", "a", NULL}};
  static const tandem_mobile_area homes[] = {{"1390000", "010", "Beijing"},
                                             {"1390001", "021", "Shanghai"}};
  static const char* const beijing[] = {"Beijing"};
  static const char* const nowhere[] = {"Nowhere"};
  tandem_number_transforms* transforms = NULL;
  tandem_mobile_areas* areas = NULL;
  tandem_rewritten_number number = TANDEM_REWRITTEN_NUMBER_INIT;
  CHECK(tandem_number_transforms_create(entries, 2, &transforms) == TANDEM_OK);
  CHECK(tandem_number_transforms_from_customer(transforms, "anna", &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_REWRITTEN);
  CHECK_TEXT(number.number, "1001");
  CHECK(tandem_number_transforms_to_vendor(transforms, "442079460000", &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_REWRITTEN);
  CHECK_TEXT(number.number, "1002");
  CHECK(tandem_number_transforms_to_vendor(transforms, "1001", &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_UNCHANGED);
  CHECK_TEXT(number.number, "1001");
  CHECK(tandem_number_transforms_from_customer(transforms, "123456789012345678901234567890123",
                                               &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_TOO_LONG);
  CHECK_TEXT(number.number, "");
  CHECK(tandem_number_transforms_from_customer(NULL, "1", &number) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_number_transforms_to_vendor(transforms, "1", NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  tandem_number_transforms_destroy(transforms);
  tandem_number_transforms_destroy(NULL);
  CHECK(tandem_number_transforms_create(twice, 2, &transforms) == TANDEM_ERR_ALREADY_EXISTS);
  CHECK(tandem_number_transforms_create(NULL, 1, &transforms) == TANDEM_ERR_INVALID_ARGUMENT);

  CHECK(tandem_mobile_areas_create(homes, 2, &areas) == TANDEM_OK);
  CHECK(tandem_mobile_areas_complete(areas, beijing, 1, "13900001234", &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_REWRITTEN);
  CHECK_TEXT(number.number, "01013900001234");
  CHECK(tandem_mobile_areas_complete(areas, beijing, 1, "13900011234", &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_UNCHANGED);
  CHECK_TEXT(number.number, "13900011234");
  CHECK(tandem_mobile_areas_complete(areas, NULL, 0, "13900001234", &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_UNCHANGED);
  CHECK(tandem_mobile_areas_complete(areas, beijing, 1, "139000012345678901234567890123",
                                     &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_TOO_LONG);
  CHECK(tandem_mobile_areas_complete(areas, nowhere, 1, "1", &number) == TANDEM_ERR_NOT_FOUND);
  tandem_mobile_areas_destroy(areas);
  tandem_mobile_areas_destroy(NULL);
}

static void rules_rewrite(void) {
  tandem_rewrite_rules* rules = NULL;
  tandem_rewritten_number number = TANDEM_REWRITTEN_NUMBER_INIT;
  size_t index = 9;
  CHECK(tandem_rewrite_rules_compile("0:86,00:", &rules) == TANDEM_OK);
  CHECK(tandem_rewrite_rules_size(rules) == 2);
  CHECK(tandem_rewrite_rules_apply(rules, "02112345", 1, &number) == TANDEM_OK);
  CHECK(number.outcome == TANDEM_REWRITE_REWRITTEN);
  CHECK_TEXT(number.number, "862112345");
  CHECK(tandem_rewrite_rules_match(rules, "0044", &index) == TANDEM_OK && index == 1);
  CHECK_ERROR(tandem_rewrite_rules_match(rules, "44", &index), TANDEM_ERR_NOT_FOUND, "44");
  tandem_rewrite_rules_destroy(rules);
  CHECK(tandem_rewrite_rules_compile("0", &rules) == TANDEM_ERR_INVALID_ARGUMENT);
}

static uint32_t load_of(uint32_t gateway, void* user) { return ((const uint32_t*)user)[gateway]; }

/* By index: the second is dearer and answers better, the third is closed. */
static void judge(uint32_t gateway, tandem_vendor_standing* standing, void* user) {
  ++*(int*)user;
  standing->price_units = gateway == 0 ? 1000 : 2000;
  standing->price_per_s = 60;
  standing->answer_percent = gateway == 0 ? 40 : 60;
  standing->talk_time_s = gateway == 1 ? 30 : 300;
  standing->closed = gateway == 2;
}

static void routes_are_ordered_by_policies(void) {
  const char* prefixes[] = {"44"};
  const char* names[] = {"a", "b", "c", "d"};
  const char* gateways[8];
  size_t i, count = 0;
  int asked = 0;
  tandem_text* json = NULL;
  tandem_vendor_route vendor = TANDEM_VENDOR_ROUTE_INIT;
  tandem_route_query query = TANDEM_ROUTE_QUERY_INIT;
  tandem_route_table_builder* builder = NULL;
  tandem_route_table* table = NULL;

  CHECK(tandem_route_table_builder_create(&builder) == TANDEM_OK);
  vendor.prefixes = prefixes;
  vendor.prefixes_count = 1;
  for (i = 0; i < 4; ++i) {
    vendor.gateway = names[i];
    vendor.protect = i == 3;
    CHECK(tandem_route_table_builder_add(builder, &vendor) == TANDEM_OK);
  }
  CHECK(tandem_route_table_builder_build(builder, &table) == TANDEM_OK);
  tandem_route_table_builder_destroy(builder);

  query.called = "4420";
  query.conditions = judge;
  query.conditions_user = &asked;
  query.sort_after_prefix[0] = TANDEM_ROUTE_POLICY_LOWEST_RATE;
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK(count == 3 && asked >= 4);
  CHECK_TEXT(gateways[0], "a");
  CHECK_TEXT(gateways[2], "d");
  query.sort_after_prefix[0] = TANDEM_ROUTE_POLICY_ANSWER_RATIO;
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK_TEXT(gateways[0], "b");
  CHECK(tandem_route_table_explain(table, &query, &json) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"answer_percent\":60") != NULL);
  CHECK(strstr(tandem_text_data(json), "\"reason\":\"closed\"") != NULL);
  tandem_text_destroy(json);
  query.sort_after_prefix[0] = TANDEM_ROUTE_POLICY_TALK_TIME;
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK_TEXT(gateways[0], "a");
  CHECK(tandem_route_table_explain(table, &query, &json) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"talk_time_s\":30,") != NULL);
  tandem_text_destroy(json);
  query.sort_before_prefix[1] = 4;
  CHECK_ERROR(tandem_route_table_lookup(table, &query, gateways, 8, &count),
              TANDEM_ERR_INVALID_ARGUMENT, "sort");
  tandem_route_table_destroy(table);
}

static void routes_are_found_best_first(void) {
  static const char* const london[] = {"4420"};
  static const char* const britain[] = {"44"};
  uint32_t loads[] = {10, 1, 0};
  tandem_vendor_route vendor = TANDEM_VENDOR_ROUTE_INIT;
  tandem_route_query query = TANDEM_ROUTE_QUERY_INIT;
  tandem_route_table_builder* builder = NULL;
  tandem_route_table* table = NULL;
  tandem_text* json = NULL;
  const char* gateways[8];
  size_t count = 9;
  CHECK(tandem_route_table_builder_create(&builder) == TANDEM_OK);
  vendor.gateway = "a";
  vendor.prefixes = britain;
  vendor.prefixes_count = 1;
  vendor.line_limit = 100;
  CHECK(tandem_route_table_builder_add(builder, &vendor) == TANDEM_OK);
  CHECK_ERROR(tandem_route_table_builder_add(builder, &vendor), TANDEM_ERR_ALREADY_EXISTS, "a");
  vendor.gateway = "b";
  CHECK(tandem_route_table_builder_add(builder, &vendor) == TANDEM_OK);
  vendor.gateway = "london";
  vendor.prefixes = london;
  CHECK(tandem_route_table_builder_add(builder, &vendor) == TANDEM_OK);
  vendor.gateway = "bad";
  vendor.prefixes = NULL;
  CHECK_ERROR(tandem_route_table_builder_add(builder, &vendor), TANDEM_ERR_INVALID_ARGUMENT,
              "prefixes was NULL");
  vendor.prefixes_count = 0;
  vendor.prefix_mode = 7;
  CHECK_ERROR(tandem_route_table_builder_add(builder, &vendor), TANDEM_ERR_INVALID_ARGUMENT,
              "prefix_mode 7");
  CHECK(tandem_route_table_builder_build(builder, &table) == TANDEM_OK);
  tandem_route_table_builder_destroy(builder);
  CHECK(tandem_route_table_size(table) == 3);
  CHECK_TEXT(tandem_route_table_gateway(table, 2), "london");
  CHECK(tandem_route_table_gateway(table, 3) == NULL);

  query.called = "442079460000";
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK(count == 3);
  CHECK_TEXT(gateways[0], "london");
  CHECK_TEXT(gateways[1], "a");
  query.load = load_of;
  query.load_user = loads;
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK_TEXT(gateways[1], "b");
  CHECK(tandem_route_table_lookup(table, &query, gateways, 1, &count) == TANDEM_OK);
  CHECK(count == 1);
  CHECK(tandem_route_table_explain(table, &query, &json) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"gateway\":\"london\",\"prefix\":\"4420\",\"rank\":0") !=
        NULL);
  tandem_text_destroy(json);

  query.load = NULL;
  query.called = "441";
  query.rotate = 1;
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK_TEXT(gateways[0], "a");
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK_TEXT(gateways[0], "b");
  query.called = "33";
  CHECK(tandem_route_table_lookup(table, &query, gateways, 8, &count) == TANDEM_OK);
  CHECK(count == 0);
  CHECK_ERROR(tandem_route_table_lookup(table, &query, NULL, 8, &count),
              TANDEM_ERR_INVALID_ARGUMENT, "gateways");
  CHECK_ERROR(tandem_route_table_lookup(NULL, &query, gateways, 8, &count),
              TANDEM_ERR_INVALID_ARGUMENT, "table");
  tandem_route_table_destroy(table);
}

static void number_lists_judge_the_callee(void) {
  static const char* const steering[] = {"a"};
  static const char* const barred[] = {"4420"};
  tandem_number_policy_config numbers = TANDEM_NUMBER_POLICY_CONFIG_INIT;
  tandem_vendor_route vendor = TANDEM_VENDOR_ROUTE_INIT;
  tandem_route_query query = TANDEM_ROUTE_QUERY_INIT;
  tandem_route_table_builder* builder = NULL;
  tandem_route_table* table = NULL;
  const char* gateways[2];
  size_t count = 9;
  CHECK(tandem_route_table_builder_create(&builder) == TANDEM_OK);
  numbers.deny_callee_prefixes = barred;
  numbers.deny_callee_prefixes_count = 1;
  vendor.gateway = "v";
  vendor.prefixes = steering;
  vendor.prefixes_count = 1;
  vendor.numbers = &numbers;
  CHECK(tandem_route_table_builder_add(builder, &vendor) == TANDEM_OK);
  CHECK(tandem_route_table_builder_build(builder, &table) == TANDEM_OK);
  tandem_route_table_builder_destroy(builder);
  query.called = "a4420";
  CHECK(tandem_route_table_lookup(table, &query, gateways, 2, &count) == TANDEM_OK);
  CHECK(count == 1);
  query.callee = "4420";
  CHECK(tandem_route_table_lookup(table, &query, gateways, 2, &count) == TANDEM_OK);
  CHECK(count == 0);
  query.struct_size = offsetof(tandem_route_query, callee); /* a caller of before */
  CHECK(tandem_route_table_lookup(table, &query, gateways, 2, &count) == TANDEM_OK);
  CHECK(count == 1);
  query.struct_size = sizeof query;
  query.callee = NULL;
  query.shorter_than = 1;
  CHECK(tandem_route_table_lookup(table, &query, gateways, 2, &count) == TANDEM_OK);
  CHECK(count == 0);
  query.shorter_than = 256;
  CHECK_ERROR(tandem_route_table_lookup(table, &query, gateways, 2, &count),
              TANDEM_ERR_INVALID_ARGUMENT, "shorter_than 256");
  tandem_route_table_destroy(table);
}

static void sources_are_identified(void) {
  static const char* const addresses[] = {"192.0.2.0/24"};
  static const char* const wrong[] = {"192.0.2.300"};
  tandem_customer_source source = TANDEM_CUSTOMER_SOURCE_INIT;
  tandem_source_match match = TANDEM_SOURCE_MATCH_INIT;
  tandem_source_table_builder* builder = NULL;
  tandem_source_table* table = NULL;
  CHECK(tandem_source_table_builder_create(&builder) == TANDEM_OK);
  source.id = "acme";
  source.addresses = addresses;
  source.addresses_count = 1;
  CHECK(tandem_source_table_builder_add(builder, &source) == TANDEM_OK);
  source.id = "wrong";
  source.addresses = wrong;
  CHECK_ERROR(tandem_source_table_builder_add(builder, &source), TANDEM_ERR_INVALID_ARGUMENT,
              "192.0.2.300");
  CHECK(tandem_source_table_builder_build(builder, &table) == TANDEM_OK);
  tandem_source_table_builder_destroy(builder);
  CHECK(tandem_source_table_identify(table, "192.0.2.7:5060", "1", "2", &match) == TANDEM_OK);
  CHECK(match.outcome == TANDEM_SOURCE_IDENTIFIED);
  CHECK_TEXT(match.customer, "acme");
  CHECK(tandem_source_table_identify(table, "198.51.100.1", "1", "2", &match) == TANDEM_OK);
  CHECK(match.outcome == TANDEM_SOURCE_UNKNOWN && match.customer == NULL);
  CHECK(tandem_source_table_identify(table, "nowhere", "1", "2", &match) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  tandem_source_table_destroy(table);
}

/* 0.60 a minute in steps of a minute: 61 s are two minutes, 1.20. */
/* Windows, tiers, tax, a price list of a partner, a margin, a charge made again. */
static void test_rate_terms(void) {
  const int64_t monday_1759_us = 1772474390000000; /* 2026-03-02T17:59:50Z */
  const char list[] = "Dial Code,Rate,Interval\n\"44,4420-4421\",0.30,60/60\n";
  const char* const terms = "price=0.60|per_s=60|tiers=60:0.30|tax_percent=20.00";
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_charge charge = TANDEM_CHARGE_INIT;
  tandem_rate_deck_builder* builder = NULL;
  tandem_rate_deck* deck = NULL;
  const tandem_rate_deck* buys[1];
  tandem_text* json = NULL;
  int64_t seconds = 0;
  rate.prefix = "44";
  rate.price_units = 60000000;
  rate.windows = "any 18:00-24:00 price=6";
  rate.schedule = "split";
  CHECK(tandem_rate_call_at(&rate, monday_1759_us, 20000, NULL, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 110000000); /* 10 * 0.01 + 10 * 0.10 */
  CHECK(tandem_available_time_at(&rate, monday_1759_us, 20000000, NULL, &seconds) == TANDEM_OK);
  CHECK(seconds == 11);
  rate.schedule = NULL;
  CHECK(tandem_rate_call_at(&rate, monday_1759_us, 20000, NULL, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 20000000);
  rate.schedule = "tomorrow";
  CHECK_ERROR(tandem_rate_call_at(&rate, 0, 1, NULL, &charge), TANDEM_ERR_INVALID_ARGUMENT,
              "tomorrow");
  rate.schedule = NULL;
  rate.windows = NULL;
  rate.tiers = "60:0.30";
  rate.tax_percent = "20";
  CHECK(tandem_rate_call(&rate, 61000, NULL, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 72600000);
  CHECK(tandem_recompute_charge(terms, 0, 61000, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 72600000 && charge.billed_time_s == 61);
  CHECK_ERROR(tandem_recompute_charge("price=x", 0, 1, &charge), TANDEM_ERR_INVALID_ARGUMENT, "x");

  CHECK(tandem_rate_deck_builder_create("buy", "USD", &builder) == TANDEM_OK);
  CHECK_ERROR(tandem_rate_deck_builder_import(builder, "Code,Rate\n4x,1\n", 15, NULL, &json),
              TANDEM_ERR_INVALID_ARGUMENT, "4x");
  CHECK(strstr(tandem_text_data(json), "\"fault_count\":1") != NULL);
  tandem_text_destroy(json);
  CHECK(tandem_rate_deck_builder_import(builder, list, sizeof list - 1, "", NULL) == TANDEM_OK);
  CHECK(tandem_rate_deck_builder_set_schedule(builder, "split zone=+01:00") == TANDEM_OK);
  CHECK(tandem_rate_deck_builder_build(builder, &deck) == TANDEM_OK);
  tandem_rate_deck_builder_destroy(builder);
  CHECK(tandem_rate_deck_size(deck) == 3);
  CHECK(tandem_rate_deck_rate(deck, 0, &rate) == TANDEM_OK);
  CHECK(strcmp(rate.schedule, "split zone=+01:00") == 0 && rate.first_s == 60);
  buys[0] = deck;
  CHECK(tandem_margin_report(deck, buys, 1, 1, &json) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"margin_percent\":\"0.00\"") != NULL);
  tandem_text_destroy(json);
  tandem_rate_deck_destroy(deck);
}

static void calls_are_rated(void) {
  static const char csv[] =
      "prefix,price,first_s,next_s,sections\n44,0.60,60,60,\n"
      "49,0.10,1,1,30:0.05\n";
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_rate found = TANDEM_RATE_INIT;
  tandem_charge charge = TANDEM_CHARGE_INIT;
  tandem_rate_deck_builder* builder = NULL;
  tandem_rate_deck* deck = NULL;
  tandem_text* json = NULL;
  int64_t seconds = 0;
  int32_t reason = 0;
  rate.prefix = "1";
  rate.price_units = 60000000;
  rate.first_s = 60;
  rate.next_s = 60;
  CHECK(tandem_rate_call(&rate, 61000, NULL, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 120000000 && charge.billed_time_s == 120);
  CHECK(tandem_available_time(&rate, 119999999, NULL, &seconds) == TANDEM_OK);
  CHECK(seconds == 60);
  rate.per_s = -1;
  CHECK_ERROR(tandem_rate_call(&rate, 61000, NULL, &charge), TANDEM_ERR_INVALID_ARGUMENT, "-1");
  rate.per_s = 0;
  test_rate_terms();
  CHECK(tandem_rate_deck_builder_create("retail", "USD", &builder) == TANDEM_OK);
  CHECK(tandem_rate_deck_builder_add(builder, &rate) == TANDEM_OK);
  CHECK(tandem_rate_deck_builder_add(builder, &rate) == TANDEM_ERR_ALREADY_EXISTS);
  CHECK(tandem_rate_deck_builder_add_csv(builder, csv, sizeof csv - 1, "a.csv") == TANDEM_OK);
  CHECK_ERROR(tandem_rate_deck_builder_add_csv(builder, "prefix,price\nx y,1\n", 19, "b.csv"),
              TANDEM_ERR_INVALID_ARGUMENT, "b.csv");
  CHECK(tandem_rate_deck_builder_build(builder, &deck) == TANDEM_OK);
  tandem_rate_deck_builder_destroy(builder);
  CHECK(tandem_rate_deck_size(deck) == 3);
  CHECK(tandem_rate_deck_find(deck, "4930", 1, TANDEM_CALL_LEVEL_NONE, &reason, &found) ==
        TANDEM_OK);
  CHECK(reason == 0);
  CHECK_TEXT(found.prefix, "49");
  CHECK_TEXT(found.sections, "30:0.05");
  CHECK(tandem_rate_call(&found, 30000, NULL, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 5000000);
  CHECK(tandem_rate_deck_find(deck, "7", 1, TANDEM_CALL_LEVEL_NONE, &reason, &found) == TANDEM_OK);
  CHECK_TEXT(tandem_reason_name(reason), "RateNotFound");
  CHECK(tandem_rate_deck_rate_number(deck, "442079460000", 61000, 1, NULL, NULL, &json) ==
        TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"charge\":\"1.20\"") != NULL);
  tandem_text_destroy(json);
  CHECK_ERROR(tandem_rate_deck_rate_number(deck, "7", 1, 1, NULL, NULL, &json),
              TANDEM_ERR_NOT_FOUND, "7");
  CHECK(tandem_rate_deck_rate(deck, 3, &found) == TANDEM_ERR_NOT_FOUND);
  tandem_rate_deck_destroy(deck);
}

static void accounts_keep_calls_inside_their_money(void) {
  tandem_account_settings settings = TANDEM_ACCOUNT_SETTINGS_INIT;
  tandem_account_state state = TANDEM_ACCOUNT_STATE_INIT;
  tandem_meter_verdict verdict = TANDEM_METER_VERDICT_INIT;
  tandem_charge charge = TANDEM_CHARGE_INIT;
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_account_book* book = NULL;
  tandem_money_hold* hold = NULL;
  tandem_call_meter* meter = NULL;
  tandem_text* json = NULL;
  int64_t units = 0;
  int32_t reason = 0;
  CHECK(tandem_account_book_create(&book) == TANDEM_OK);
  settings.id = "acme";
  settings.currency = "USD";
  settings.kind = TANDEM_ACCOUNT_AGENT;
  settings.is_unbound = 1;
  CHECK(tandem_account_book_provision(book, &settings, 0) == TANDEM_OK);
  CHECK(tandem_account_book_state(book, "acme", &state) == TANDEM_OK);
  CHECK(state.largest_overdraft_units == -1);
  settings.kind = TANDEM_ACCOUNT_CUSTOMER;
  settings.is_unbound = 0;
  settings.agent = "agency";
  CHECK(tandem_account_book_provision(book, &settings, 0) == TANDEM_OK);
  CHECK(tandem_account_book_state(book, "acme", &state) == TANDEM_OK);
  CHECK(state.largest_overdraft_units == 0);
  CHECK(tandem_account_book_pay(book, "acme", 100000000, NULL) == TANDEM_OK);
  CHECK(tandem_account_book_pay(book, "acme", 100000000, &units) == TANDEM_OK);
  CHECK(units == 200000000);
  CHECK(tandem_account_book_pay(book, "nobody", 1, NULL) == TANDEM_ERR_NOT_FOUND);

  CHECK(tandem_money_hold_open(book, "acme", 150000000, 1, &reason, &hold) == TANDEM_OK);
  CHECK(reason == 0 && hold != NULL && tandem_money_hold_units(hold) == 150000000);
  CHECK_ERROR(tandem_money_hold_renew(hold, 300000000), TANDEM_ERR_LIMIT, "3.00");
  {
    tandem_money_hold* second = NULL;
    CHECK(tandem_money_hold_open(book, "acme", 150000000, 1, &reason, &second) == TANDEM_OK);
    CHECK(second == NULL);
    CHECK_TEXT(tandem_reason_name(reason), "AccountBalanceNotEnough");
  }
  CHECK(tandem_money_hold_settle(hold, 50000000, &units) == TANDEM_OK);
  CHECK(units == 50000000);
  CHECK(tandem_money_hold_settle(hold, 50000000, NULL) == TANDEM_ERR_WRONG_STATE);
  tandem_money_hold_destroy(hold);
  CHECK(tandem_account_book_state(book, "acme", &state) == TANDEM_OK);
  CHECK(state.balance_units == 150000000 && state.held_units == 0 && state.refused_calls == 1);

  rate.price_units = 6000000000; /* 60.00 a minute: 1.50 lasts for a second and no longer */
  CHECK(tandem_call_meter_open(book, "acme", &rate, NULL, 1, &reason, &meter) == TANDEM_OK);
  CHECK(tandem_call_meter_start(meter, 1000000, &verdict) == TANDEM_OK);
  CHECK(!verdict.must_end && verdict.check_at_monotonic_us <= 2000000);
  CHECK(tandem_call_meter_on_timer(meter, 2000000, &verdict) == TANDEM_OK);
  CHECK(verdict.must_end);
  CHECK(tandem_call_meter_finish(meter, 1000, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 100000000);
  tandem_call_meter_destroy(meter);
  CHECK(tandem_account_book_snapshot(book, &json) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"balance\":\"0.50\"") != NULL);
  tandem_text_destroy(json);
  tandem_account_book_destroy(book);
}

static void limits_bound_calls_together(void) {
  tandem_account_settings settings = TANDEM_ACCOUNT_SETTINGS_INIT;
  tandem_meter_verdict verdict = TANDEM_METER_VERDICT_INIT;
  tandem_charge charge = TANDEM_CHARGE_INIT;
  tandem_limit_use use = TANDEM_LIMIT_USE_INIT;
  tandem_rate rate = TANDEM_RATE_INIT;
  tandem_account_book* book = NULL;
  tandem_call_meter* meter = NULL;
  tandem_call_meter* second = NULL;
  tandem_text* json = NULL;
  int32_t reason = 0;
  const int64_t day_us = INT64_C(86400000000);
  CHECK(tandem_account_book_create(&book) == TANDEM_OK);
  settings.id = "acme";
  settings.currency = "USD";
  settings.limits_json = "[{\"window\": \"day\"}]";
  CHECK_ERROR(tandem_account_book_provision(book, &settings, 0), TANDEM_ERR_INVALID_ARGUMENT,
              "had none of max_charge");
  settings.limits_json =
      "[{\"window\": \"day\", \"prefixes\": [\"44\"], \"max_charge\": \"0.10\", \"max_calls\": 5}]";
  CHECK(tandem_account_book_provision(book, &settings, 1000000000) == TANDEM_OK);
  use.account = "acme";
  use.limit = "day UTC 44";
  use.until_us = day_us;
  use.charge_units = 3000000;
  use.calls = 4;
  CHECK(tandem_account_book_restore_limit(book, &use) == TANDEM_OK);
  rate.price_units = 60000000; /* a cent a second: seven seconds are left */
  CHECK(tandem_call_meter_open_to(book, "acme", "4420", &rate, NULL, 1, &reason, &meter) ==
        TANDEM_OK);
  CHECK(reason == 0 && meter != NULL);
  CHECK(tandem_call_meter_open_to(book, "acme", "4430", &rate, NULL, 1, &reason, &second) ==
        TANDEM_OK);
  CHECK(second == NULL);
  CHECK_TEXT(tandem_reason_name(reason), "AccountLimitReached");
  CHECK(tandem_call_meter_open(book, "acme", &rate, NULL, 1, &reason, &second) == TANDEM_OK);
  CHECK(reason == 0); /* to no number, so that the limit does not count it */
  tandem_call_meter_destroy(second);
  CHECK(tandem_call_meter_start(meter, 0, &verdict) == TANDEM_OK);
  while (!verdict.must_end && verdict.check_at_monotonic_us < 60000000)
    CHECK(tandem_call_meter_on_timer(meter, verdict.check_at_monotonic_us, &verdict) == TANDEM_OK);
  CHECK(verdict.must_end);
  CHECK_TEXT(tandem_reason_name(verdict.reason), "AccountLimitReached");
  CHECK(tandem_call_meter_finish(meter, 7000, &charge) == TANDEM_OK);
  CHECK(charge.charge_units == 7000000);
  tandem_call_meter_destroy(meter);
  CHECK(tandem_account_book_limits(book, "acme", 1, &json) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(json), "\"charge\":\"0.10\",\"held_charge\":\"0.00\"") != NULL);
  CHECK(strstr(tandem_text_data(json), "\"calls\":5") != NULL);
  tandem_text_destroy(json);
  tandem_account_book_destroy(book);
}

int main(void) {
  policies_judge_numbers();
  policies_judge_by_a_plan();
  numbers_stand_for_others();
  rules_rewrite();
  routes_are_found_best_first();
  routes_are_ordered_by_policies();
  number_lists_judge_the_callee();
  sources_are_identified();
  calls_are_rated();
  accounts_keep_calls_inside_their_money();
  limits_bound_calls_together();
  return check_result();
}
