/* Calls that the host serves, from C: a prompt, a number by keys, a bridge. */
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
  tandem_switch* object;
  uint64_t id;
  int ready, played, stopped, collected, failed, bridged, ended;
  int32_t serve;
  char digits[65];
};

static void host_policy(const tandem_policy_question* question, void* user) {
  struct host* const host = user;
  tandem_policy_answer answer = TANDEM_POLICY_ANSWER_INIT;
  if (strcmp(question->callee, "4410") == 0) answer.serve = host->serve;
  answer.is_unbilled = 1;
  CHECK(tandem_switch_answer(host->object, question->token, &answer) == TANDEM_OK);
}

static void host_event(const tandem_event* event, void* user) {
  struct host* const host = user;
  if (event->kind == TANDEM_EVENT_CALL_ENDED) ++host->ended;
  if (event->kind != TANDEM_EVENT_CALL_SERVICE) {
    CHECK(event->service == NULL);
    return;
  }
  CHECK(event->service != NULL);
  if (event->service == NULL) return;
  CHECK(strstr(event->json, "\"type\":\"call_service\"") != NULL);
  host->id = event->id;
  switch (event->service->what) {
    case TANDEM_SERVICE_READY:
      ++host->ready;
      break;
    case TANDEM_SERVICE_PLAYED:
      if (event->service->why == TANDEM_SERVICE_WHY_STOPPED) {
        ++host->stopped;
        break;
      }
      ++host->played;
      CHECK(event->service->why == TANDEM_SERVICE_WHY_KEY);
      break;
    case TANDEM_SERVICE_COLLECTED:
      ++host->collected;
      CHECK(event->service->is_complete == 1);
      CHECK(event->service->why == TANDEM_SERVICE_WHY_TERMINATOR);
      CHECK(strlen(event->service->digits) < sizeof host->digits);
      strncpy(host->digits, event->service->digits, sizeof host->digits - 1);
      break;
    case TANDEM_SERVICE_BRIDGE_FAILED:
      ++host->failed;
      CHECK(event->service->sip_status == 486);
      break;
    case TANDEM_SERVICE_BRIDGED:
      ++host->bridged;
      break;
    default:
      CHECK(0);
  }
}

int main(void) {
  struct host host;
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_policy_answer wrong = TANDEM_POLICY_ANSWER_INIT;
  tandem_answer_plan plan = TANDEM_ANSWER_PLAN_INIT;
  tandem_dial_plan dial = TANDEM_DIAL_PLAN_INIT;
  tandem_collect_order keys = TANDEM_COLLECT_ORDER_INIT;
  tandem_bridge_order bridge = TANDEM_BRIDGE_ORDER_INIT;
  tandem_config* config = NULL;
  tandem_world* world = NULL;
  tandem_switch* object = NULL;
  tandem_endpoint* customer = NULL;
  tandem_endpoint* vendor = NULL;
  tandem_endpoint_call* call = NULL;
  tandem_text* text = NULL;
  const char* const sounds[] = {"tone:warning", "tone:ringback/us"};
  const char* const key_bodies[] = {"Signal=4", "Signal=4", "Signal=1", "Signal=#"};
  size_t i;
  memset(&host, 0, sizeof host);
  host.serve = TANDEM_SERVE_EARLY;
  hooks.on_event = host_event;
  hooks.on_policy = host_policy;
  hooks.user = &host;
  CHECK(tandem_config_read_json(config_json, NULL, &config) == TANDEM_OK);
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, &hooks, &object) == TANDEM_OK);
  host.object = object;
  CHECK(tandem_switch_start(object) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.2:5060", "10.0.0.1:5060", &customer) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.9:5060", NULL, &vendor) == TANDEM_OK);
  wrong.serve = 3;
  CHECK_ERROR(tandem_switch_answer(object, 1, &wrong), TANDEM_ERR_INVALID_ARGUMENT, "serve 3");
  plan.status = 486;
  CHECK(tandem_endpoint_set_plan(vendor, "441", &plan) == TANDEM_OK);

  CHECK(tandem_endpoint_dial(customer, "4410", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(host.ready == 1 && tandem_endpoint_call_state(call) != TANDEM_CALL_ANSWERED);
  CHECK(tandem_switch_answer_call(object, host.id) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(call) == TANDEM_CALL_ANSWERED);

  CHECK_ERROR(tandem_switch_play(object, host.id, "tone:nothing", 0, 0), TANDEM_ERR_NOT_FOUND,
              "nothing");
  CHECK(tandem_switch_play(object, host.id, "tone:ringback/us", 1, 1) == TANDEM_OK);
  CHECK_ERROR(tandem_switch_play_list(object, host.id, sounds, 0, 0, 0),
              TANDEM_ERR_INVALID_ARGUMENT, "sounds");
  CHECK_ERROR(tandem_switch_play_list(object, host.id, NULL, 2, 0, 0), TANDEM_ERR_INVALID_ARGUMENT,
              "NULL");
  CHECK(tandem_switch_stop(object, host.id) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 100000) == TANDEM_OK);
  CHECK(host.stopped == 1);
  CHECK(tandem_switch_play_list(object, host.id, sounds, 2, 1, 1) == TANDEM_OK);
  keys.max = 65;
  CHECK_ERROR(tandem_switch_collect(object, host.id, &keys), TANDEM_ERR_INVALID_ARGUMENT, "65");
  keys.max = 12;
  CHECK(tandem_switch_collect(object, host.id, &keys) == TANDEM_OK);
  for (i = 0; i < sizeof key_bodies / sizeof *key_bodies; ++i) {
    CHECK(tandem_endpoint_call_request(call, "INFO", "application/dtmf-relay", key_bodies[i]) ==
          TANDEM_OK);
    CHECK(tandem_world_run_for(world, 200000) == TANDEM_OK);
  }
  CHECK(host.played == 1 && host.collected == 1);
  CHECK_TEXT(host.digits, "441");

  CHECK_ERROR(tandem_switch_bridge(object, host.id, &bridge), TANDEM_ERR_INVALID_ARGUMENT,
              "callee");
  bridge.callee = host.digits;
  CHECK(tandem_switch_bridge(object, host.id, &bridge) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(host.failed == 1 && host.bridged == 0);
  CHECK(tandem_switch_stop(object, host.id) == TANDEM_OK);
  bridge.callee = "442079460000";
  CHECK(tandem_switch_bridge(object, host.id, &bridge) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(host.bridged == 1);
  CHECK_ERROR(tandem_switch_hang_up(object, host.id, 0), TANDEM_ERR_WRONG_STATE, "not served");
  CHECK(tandem_endpoint_call_hang_up(call) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_switch_hang_up(object, host.id, 0) == TANDEM_ERR_NOT_FOUND);
  tandem_endpoint_call_destroy(call);

  host.serve = TANDEM_SERVE_ANSWERED;
  CHECK(tandem_endpoint_dial(customer, "4410", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(host.ready == 2 && tandem_endpoint_call_state(call) == TANDEM_CALL_ANSWERED);
  CHECK(tandem_switch_hang_up(object, host.id, 0) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(call) == TANDEM_CALL_OVER);
  CHECK(host.ended == 4); /* two that were served, two that they were bridged to */
  CHECK(tandem_world_cdrs(world, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"charge\":\"0.60\"") != NULL);
  tandem_text_destroy(text);
  tandem_endpoint_call_destroy(call);
  tandem_switch_destroy(object);
  tandem_world_destroy(world);
  tandem_config_destroy(config);
  return check_result();
}
