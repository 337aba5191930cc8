/* A whole call in virtual time, from C. */
#include "check.h"

static const char config_json[] =
    "{\"sip\": {\"listen\": [\"udp:10.0.0.1:5060\"]}, \"media\": {\"address\": \"10.0.0.1\"},"
    " \"provision\": {"
    "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"9.00\", \"rate_deck\": \"retail\"}],"
    "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"44\", \"price\": \"0.60\","
    "     \"first_s\": 60, \"next_s\": 60}]}],"
    "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"10.0.0.2\"],"
    "     \"account\": \"acme\"}],"
    "  \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"10.0.0.9:5060\"]}]}}";

struct host {
  int events, ended, freed;
};
static void host_event(const tandem_event* event, void* user) {
  struct host* const host = user;
  ++host->events;
  if (event->kind == TANDEM_EVENT_CALL_ENDED) {
    ++host->ended;
    CHECK(event->cdr != NULL && event->cdr->customer != NULL);
    CHECK(event->cdr->customer->charge_units == 120000000);
    CHECK(event->cdr->attempts_count == 1 && event->cdr->attempts[0]->sip_status == 200);
    CHECK_TEXT(event->cdr->attempts[0]->vendor_gateway, "v1");
  }
}
static void host_free(void* user) { ++((struct host*)user)->freed; }

int main(void) {
  struct host host;
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_dial_plan dial = TANDEM_DIAL_PLAN_INIT;
  tandem_answer_plan answer = TANDEM_ANSWER_PLAN_INIT;
  tandem_config* config = NULL;
  tandem_world* world = NULL;
  tandem_switch* object = NULL;
  tandem_endpoint* customer = NULL;
  tandem_endpoint* vendor = NULL;
  tandem_endpoint_call* call = NULL;
  tandem_endpoint_call* other = NULL;
  tandem_link_settings link = TANDEM_LINK_SETTINGS_INIT;
  tandem_text* text = NULL;
  memset(&host, 0, sizeof host);
  hooks.on_event = host_event;
  hooks.user = &host;
  hooks.user_free = host_free;
  CHECK(tandem_config_read_json(config_json, NULL, &config) == TANDEM_OK);
  CHECK_ERROR(tandem_world_create_switch(NULL, config, &hooks, &object),
              TANDEM_ERR_INVALID_ARGUMENT, "world");
  CHECK(host.freed == 1);
  host.freed = 0;
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, &hooks, &object) == TANDEM_OK);
  CHECK(tandem_switch_start(object) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.2:5060", "10.0.0.1:5060", &customer) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.9:5060", NULL, &vendor) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "nowhere", NULL, &vendor) == TANDEM_ERR_INVALID_ARGUMENT);
  answer.status = 12;
  CHECK_ERROR(tandem_endpoint_set_plan(vendor, NULL, &answer), TANDEM_ERR_INVALID_ARGUMENT, "12");
  answer.status = 200;
  answer.ring_after_us = 500000;
  answer.answer_after_us = 2000000;
  CHECK(tandem_endpoint_set_plan(vendor, NULL, &answer) == TANDEM_OK);
  CHECK(tandem_endpoint_last_call(vendor, &call) == TANDEM_ERR_NOT_FOUND);
  dial.hang_up_after_us = 61000000;
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 10000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(call) == TANDEM_CALL_ANSWERED);
  CHECK(tandem_endpoint_call_status(call) == 200);
  CHECK(tandem_switch_live_calls(object) == 1);

  /* Requests inside the call reach the other side, on a link that takes its time. */
  link.delay_us = 30000;
  CHECK(tandem_world_set_link(world, "10.0.0.2", NULL, &link) == TANDEM_OK);
  CHECK(tandem_endpoint_call_request(call, "INFO", "application/dtmf-relay", "Signal=5") ==
        TANDEM_OK);
  CHECK(tandem_endpoint_last_call(vendor, &other) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 25000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_events(other, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "INFO") == NULL);
  tandem_text_destroy(text);
  CHECK(tandem_world_run_for(world, 100000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_events(other, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "INFO") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_endpoint_call_update(call, NULL) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 200000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_hold(call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 200000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_resume(call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 200000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_events(call, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "reoffer 200") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_endpoint_call_packets(call, NULL, NULL) == TANDEM_OK);
  tandem_endpoint_call_destroy(other);
  link.loss_per_mille = 1001;
  CHECK_ERROR(tandem_world_set_default_link(world, &link), TANDEM_ERR_INVALID_ARGUMENT, "1001");
  CHECK(tandem_world_set_link(world, "nowhere", NULL, &link) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_clear_links(world) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(call) == TANDEM_CALL_OVER);
  CHECK(tandem_world_cdrs(world, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"charge\":\"1.20\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_endpoint_ladder(customer, &text) == TANDEM_OK);
  CHECK(strncmp(tandem_text_data(text), "> INVITE", 8) == 0);
  tandem_text_destroy(text);
  CHECK(host.events >= 3 && host.ended == 1);
  tandem_endpoint_call_destroy(call);
  tandem_switch_destroy(object);
  CHECK(host.freed == 1);
  tandem_world_destroy(world);
  tandem_config_destroy(config);
  return check_result();
}
