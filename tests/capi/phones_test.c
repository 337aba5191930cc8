/* A phone registers, is called, and is suspended after wrong passwords, from C (P-05, T-01, S-08).
 */
#include <stddef.h>

#include "check.h"

static const char config_json[] =
    "{\"phone_notices\": {\"url\": \"http://10.0.0.9:8000/PhoneOnline\"},"
    " \"sip\": {\"listen\": [\"udp:10.0.0.1:5060\"]}, \"media\": {\"address\": \"10.0.0.1\"},"
    " \"provision\": {"
    "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"9.00\", \"rate_deck\": \"retail\"}],"
    "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"\", \"price\": "
    "\"0.60\"}]}],"
    "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"10.0.0.2\"],"
    "     \"account\": \"acme\"}],"
    "  \"phones\": [{\"number\": \"1001\", \"password\": \"secret\", \"account\": \"acme\","
    "     \"monthly_money_maximum\": \"5.00\"}]}}";

struct host {
  int phone_events;
};
static void host_event(const tandem_event* event, void* user) {
  struct host* const host = user;
  if (event->kind != TANDEM_EVENT_PHONE) return;
  ++host->phone_events;
  CHECK(strstr(event->json, "\"phone\":\"1001\"") != NULL);
  CHECK(strstr(event->json, "\"state\":\"registered\"") != NULL);
  CHECK(strstr(event->json, "\"online\":true,\"dids\":[],\"source\":\"10.0.0.3:5060\"") != NULL);
}

int main(void) {
  struct host host = {0};
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_switch_counters counters = TANDEM_SWITCH_COUNTERS_INIT;
  tandem_config* config = NULL;
  tandem_world* world = NULL;
  tandem_switch* object = NULL;
  tandem_endpoint* customer = NULL;
  tandem_endpoint* device = NULL;
  tandem_endpoint_call* call = NULL;
  tandem_text* text = NULL;
  size_t phones = 0;
  int i;
  hooks.on_event = host_event;
  hooks.user = &host;
  CHECK(tandem_config_read_json(config_json, NULL, &config) == TANDEM_OK);
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, &hooks, &object) == TANDEM_OK);
  CHECK(tandem_switch_start(object) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.2:5060", "10.0.0.1:5060", &customer) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.3:5060", "10.0.0.1:5060", &device) == TANDEM_OK);

  CHECK(tandem_endpoint_register(NULL, "1001", "x", 60) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_endpoint_register(device, "1001", "x", -1) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_endpoint_registration_status(NULL, "1001") == 0);
  CHECK(tandem_endpoint_register(device, "1001", "secret", 60) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_registration_status(device, "1001") == 200);
  CHECK(host.phone_events == 1);
  CHECK(tandem_switch_phones(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"online\":true") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_phone(object, "1001", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"address\":\"10.0.0.3:5060\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_phone(object, "1002", &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_phone_packages(object, "1001", &text) == TANDEM_OK); /* B-18 */
  CHECK(strstr(tandem_text_data(text), "\"max_consumption\":\"5.00\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_phone_packages(object, "1002", &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_read_counters(object, &counters) == TANDEM_OK);
  CHECK(counters.registrants_online == 1 && counters.registers_received == 2);
  CHECK(counters.registers_refused == 0 && counters.registers_dropped == 0);

  /* I-02: nobody listens, so they wait. */
  CHECK(tandem_switch_notify_phones(object, &phones) == TANDEM_OK && phones == 1);
  CHECK(tandem_switch_notify_phones(object, NULL) == TANDEM_OK);
  CHECK(tandem_switch_notify_phones(NULL, &phones) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_phone_notices(object, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_phone_notices(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "{\"configured\":true,\"waiting\":1,") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"failing\":true") != NULL);
  tandem_text_destroy(text);

  CHECK(tandem_endpoint_dial(customer, "1001", "1000", NULL, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 2000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_status(call) == 200);
  tandem_endpoint_call_destroy(call);

  for (i = 0; i < 6; ++i) {
    CHECK(tandem_endpoint_register(customer, "1001", "guess", 60) == TANDEM_OK);
    CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  }
  CHECK(tandem_switch_suspensions(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"user\":\"1001\",\"address\":\"10.0.0.2\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_lift_suspension(object, "1001", "10.0.0.2") == TANDEM_OK);
  CHECK(tandem_switch_lift_suspension(object, NULL, "10.0.0.2") == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_lift_suspension(object, NULL, "nowhere") == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_close(object) == TANDEM_OK);
  CHECK(tandem_switch_notify_phones(object, &phones) == TANDEM_ERR_WRONG_STATE);
  tandem_switch_destroy(object);
  tandem_world_destroy(world);
  tandem_config_destroy(config);
  return check_result();
}
