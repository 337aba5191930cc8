/* A host that says where numbers were ported to, from C. */
#include <stddef.h>

#include "check.h"

static const char config_json[] =
    "{\"sip\": {\"listen\": [\"udp:10.0.0.1:5060\"]}, \"media\": {\"address\": \"10.0.0.1\"},"
    " \"provision\": {"
    "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"9.00\", \"rate_deck\": \"retail\"}],"
    "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"\", \"price\": "
    "\"0.60\"}]}],"
    "  \"lrn_resolvers\": [{\"id\": \"ours\", \"kind\": \"host\"}],"
    "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"10.0.0.2\"],"
    "     \"account\": \"acme\", \"lrn\": {\"resolver\": \"ours\"}}],"
    "  \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"10.0.0.9:5060\"],"
    "     \"prefixes\": [\"33\"]}]}}";

struct host {
  tandem_switch* object;
  int asked, ended, freed;
  uint64_t token;
};

static void host_lrn(const tandem_lrn_question* question, void* user) {
  struct host* const host = user;
  tandem_lrn_answer answer = TANDEM_LRN_ANSWER_INIT;
  ++host->asked;
  host->token = question->token;
  CHECK_TEXT(question->resolver, "ours");
  if (strcmp(question->number, "442079460000") == 0) {
    answer.lrn = "33740000000";
    answer.region = "FR";
    CHECK(tandem_switch_answer_lrn(host->object, question->token, &answer) == TANDEM_OK);
  } else if (strcmp(question->number, "442079460001") == 0) {
    CHECK(tandem_switch_answer_lrn(host->object, question->token, NULL) == TANDEM_OK);
  } /* else nothing is said */
}

static void host_event(const tandem_event* event, void* user) {
  struct host* const host = user;
  if (event->kind != TANDEM_EVENT_CALL_ENDED) return;
  ++host->ended;
  CHECK(event->cdr != NULL);
  if (event->cdr->answered_at_us > 0) {
    CHECK_TEXT(event->cdr->lrn, "33740000000");
    CHECK_TEXT(event->cdr->callee_region, "FR");
    CHECK_TEXT(event->cdr->caller_region, "");
    CHECK_TEXT(event->cdr->vendor_gateway, "v1");
    CHECK_TEXT(event->cdr->codec, "PCMU");
    CHECK(event->cdr->caller_codecs != NULL && event->cdr->callee_codecs != NULL);
  } else {
    CHECK(event->cdr->end_reason == -33 && event->cdr->sip_status == 404);
  }
}
static void host_free(void* user) { ++((struct host*)user)->freed; }

int main(void) {
  struct host host;
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_switch_counters counters = TANDEM_SWITCH_COUNTERS_INIT;
  tandem_lrn_answer answer = TANDEM_LRN_ANSWER_INIT;
  tandem_explain_request request = TANDEM_EXPLAIN_REQUEST_INIT;
  tandem_dial_plan dial = TANDEM_DIAL_PLAN_INIT;
  tandem_config* config = NULL;
  tandem_world* world = NULL;
  tandem_endpoint* customer = NULL;
  tandem_endpoint* vendor = NULL;
  tandem_endpoint_call* calls[3] = {NULL, NULL, NULL};
  tandem_text* text = NULL;
  static const char* const callees[3] = {"442079460000", "442079460001", "442079460002"};
  int i;
  memset(&host, 0, sizeof host);
  hooks.on_event = host_event;
  hooks.on_lrn = host_lrn;
  hooks.user = &host;
  hooks.user_free = host_free;
  CHECK(tandem_config_read_json(config_json, NULL, &config) == TANDEM_OK);
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, &hooks, &host.object) == TANDEM_OK);
  CHECK(tandem_switch_start(host.object) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.2:5060", "10.0.0.1:5060", &customer) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.9:5060", NULL, &vendor) == TANDEM_OK);

  dial.hang_up_after_us = 2000000;
  for (i = 0; i < 3; ++i)
    CHECK(tandem_endpoint_dial(customer, callees[i], "1000", &dial, &calls[i]) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(calls[0]) == TANDEM_CALL_ANSWERED);
  CHECK(tandem_endpoint_call_status(calls[1]) == 404);
  CHECK(tandem_endpoint_call_status(calls[2]) == 0);
  CHECK(host.asked == 3);

  /* What is none is not taken, and the question stays open. */
  answer.lrn = "nowhere";
  CHECK_ERROR(tandem_switch_answer_lrn(host.object, host.token, &answer),
              TANDEM_ERR_INVALID_ARGUMENT, "nowhere");
  answer.lrn = "1";
  answer.region = "a region whose name is far too long for it";
  CHECK_ERROR(tandem_switch_answer_lrn(host.object, host.token, &answer),
              TANDEM_ERR_INVALID_ARGUMENT, "32");
  CHECK(tandem_switch_answer_lrn(NULL, host.token, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_answer_lrn(host.object, 12345, NULL) == TANDEM_OK);
  CHECK(tandem_switch_read_counters(host.object, &counters) == TANDEM_OK);
  CHECK(counters.lrn_questions == 3 && counters.lrn_answers == 1 && counters.lrn_failures == 1);
  CHECK(counters.lrn_under_way == 1 && counters.lrn_cache_entries == 1);

  request.from = "cust";
  request.caller = "1000";
  request.callee = "442079460000";
  CHECK(tandem_switch_explain(host.object, &request, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"source\":\"cache\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"callee_routing\":\"33740000000\"") != NULL);
  tandem_text_destroy(text);
  request.lrn = "";
  CHECK(tandem_config_explain(config, &request, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"source\":\"given\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"reject\":\"NoAvailableRouter\"") != NULL);
  tandem_text_destroy(text);
  request.forwarder = "no number";
  CHECK_ERROR(tandem_config_explain(config, &request, &text), TANDEM_ERR_INVALID_ARGUMENT,
              "no number");
  request.forwarder = "33740000000";
  CHECK(tandem_config_explain(config, &request, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  request.struct_size = offsetof(tandem_explain_request, lrn); /* a caller of before */
  CHECK(tandem_config_explain(config, &request, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"source\":\"none\"") != NULL);
  tandem_text_destroy(text);

  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_status(calls[2]) == 404);
  CHECK(host.ended == 3);
  for (i = 0; i < 3; ++i)
    tandem_endpoint_call_destroy(calls[i]);
  tandem_switch_destroy(host.object);
  CHECK(host.freed == 1);
  tandem_world_destroy(world);

  /* A host that was built before there was the hook. */
  memset(&host, 0, sizeof host);
  hooks.struct_size = offsetof(tandem_switch_hooks, on_lrn);
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, &hooks, &host.object) == TANDEM_OK);
  tandem_switch_destroy(host.object);
  CHECK(host.freed == 1 && host.asked == 0);
  tandem_world_destroy(world);
  tandem_config_destroy(config);
  return check_result();
}
