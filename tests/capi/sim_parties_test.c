/* What endpoints of the test kit can do and show, from C. */
#include "check.h"

static const char config_json[] =
    "{\"sip\": {\"listen\": [\"udp:10.0.0.1:5060\", \"tcp:10.0.0.1:5060\"]},"
    " \"media\": {\"address\": \"10.0.0.1\"},"
    " \"provision\": {"
    "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"9.00\", \"rate_deck\": \"retail\"}],"
    "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"44\", \"price\": "
    "\"0.60\"}]}],"
    "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"10.0.0.2\"],"
    "     \"account\": \"acme\", \"sip\": {\"srtp\": \"required\", \"srtp_any_transport\": true,"
    "     \"srtp_keys\": \"both\", \"ice\": \"lite\","
    "     \"pass_headers\": [\"X-One\"]}}],"
    "  \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"10.0.0.9:5060\"],"
    "     \"sip\": {\"srtp\": \"off\"}}]}}";

static int is_answered(void* user) {
  return tandem_endpoint_call_state(user) == TANDEM_CALL_ANSWERED;
}
static int never(void* user) {
  (void)user;
  return 0;
}

int main(void) {
  tandem_config* config = NULL;
  tandem_world* world = NULL;
  tandem_switch* object = NULL;
  tandem_endpoint *customer = NULL, *vendor = NULL;
  tandem_raw_endpoint *first = NULL, *second = NULL;
  tandem_endpoint_call *call = NULL, *other = NULL;
  tandem_dial_plan dial = TANDEM_DIAL_PLAN_INIT;
  tandem_answer_plan answer = TANDEM_ANSWER_PLAN_INIT;
  tandem_endpoint_call_view seen = TANDEM_ENDPOINT_CALL_VIEW_INIT;
  tandem_address from;
  const void* bytes = NULL;
  size_t count = 0;
  int64_t at_us = 0;
  int wrong = 0;
  tandem_text* text = NULL;
  CHECK(tandem_config_read_json(config_json, NULL, &config) == TANDEM_OK);
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, NULL, &object) == TANDEM_OK);
  CHECK(tandem_switch_start(object) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.2:5060", "10.0.0.1:5060", &customer) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.9:5060", NULL, &vendor) == TANDEM_OK);

  /* An encrypted caller over TCP, a plain callee; keys and patterns get through. */
  answer.formats = "8 101";
  answer.rtp_type = 8;
  answer.rtp_pattern = 0x33;
  answer.send_rtp = 1;
  answer.answer_after_us = -1;
  CHECK(tandem_endpoint_set_plan(vendor, NULL, &answer) == TANDEM_OK);
  dial.transport = "tcp";
  dial.display = "Alice";
  dial.formats = "8 101";
  dial.rtp_type = 8;
  dial.rtp_pattern = 0x44;
  dial.send_rtp = 1;
  dial.srtp = TANDEM_SIM_SRTP_REQUIRED;
  dial.headers = "X-One: 1\nX-Two: 2";
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_until(world, is_answered, call, 2000000) == TANDEM_ERR_TIMEOUT);
  CHECK(tandem_endpoint_last_call(vendor, &other) == TANDEM_OK);
  CHECK(tandem_endpoint_call_ring(other, 99, 0) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_endpoint_call_ring(other, 180, 0) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(call) == TANDEM_CALL_RINGING);
  CHECK(tandem_endpoint_call_answer(other) == TANDEM_OK);
  CHECK(tandem_world_run_until(world, is_answered, call, 2000000) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_press_key(call, '5', 100) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_look(call, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_endpoint_call_look(call, &seen) == TANDEM_OK);
  CHECK(seen.is_answered == 1 && seen.is_encrypted == 1 && seen.srtp_failures == 0);
  CHECK(seen.received_type == 8 && seen.received_pattern == 0x33);
  CHECK_TEXT(seen.callee, "442079460000");
  CHECK(strstr(seen.local_sdp, "a=crypto:") != NULL);
  CHECK(tandem_endpoint_call_look(other, &seen) == TANDEM_OK);
  CHECK(seen.is_encrypted == 0 && seen.received_pattern == 0x44);
  CHECK_TEXT(seen.received_keys, "5");
  CHECK_TEXT(seen.display, "Alice");
  CHECK(strstr(seen.remote_sdp, "a=crypto:") == NULL);
  CHECK(tandem_endpoint_call_headers(other, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "X-One: 1\n") != NULL);
  tandem_text_destroy(text);

  /* New keys, refused changes, another answer to them, a REFER that the gateway may not send. */
  CHECK(tandem_endpoint_call_rekey(call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_set_reoffer(other, 488, NULL) == TANDEM_OK);
  CHECK(tandem_endpoint_call_hold(call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_events(call, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "reoffer 488") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_endpoint_call_set_reoffer(other, 200, NULL) == TANDEM_OK);
  CHECK(tandem_endpoint_call_reinvite_without_offer(call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_refer(call, "<sip:1@10.0.0.7>") == TANDEM_OK);
  CHECK(tandem_endpoint_call_refer_to(call, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_run_for(world, 500000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_replaces(call, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "to-tag=") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_endpoint_call_stop_rtp(call) == TANDEM_OK);
  CHECK(tandem_endpoint_call_start_rtp(call) == TANDEM_OK);
  CHECK(tandem_endpoint_call_hang_up_with(other, 41) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_look(call, &seen) == TANDEM_OK);
  CHECK(seen.q850_cause == 41);
  CHECK(tandem_endpoint_sent(vendor, "BYE") == 1);
  CHECK(tandem_endpoint_received(vendor, "INVITE") >= 1);
  CHECK(tandem_endpoint_clear_ladder(vendor) == TANDEM_OK);
  CHECK(tandem_endpoint_sent(vendor, "BYE") == 0);
  tandem_endpoint_call_destroy(call);
  tandem_endpoint_call_destroy(other);

  /* As a browser calls; and one that makes its checks with another password. */
  answer.answer_after_us = 0;
  CHECK(tandem_endpoint_set_plan(vendor, NULL, &answer) == TANDEM_OK);
  dial.dtls = dial.dtls_ice = 1;
  for (wrong = 0; wrong < 2; ++wrong) {
    dial.ice_wrong_password = wrong;
    CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
    CHECK(tandem_world_run_for(world, 2000000) == TANDEM_OK);
    CHECK(tandem_endpoint_call_look(call, &seen) == TANDEM_OK);
    CHECK(seen.is_answered == 1 && seen.is_encrypted == !wrong);
    CHECK(strstr(seen.remote_sdp, "a=fingerprint:sha-256 ") != NULL);
    CHECK(strstr(seen.remote_sdp, "a=ice-lite") != NULL);
    CHECK(tandem_endpoint_call_hang_up(call) == TANDEM_OK);
    CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
    tandem_endpoint_call_destroy(call);
  }
  dial.dtls_role = 3;
  CHECK_ERROR(tandem_endpoint_dial(customer, "44", "1", &dial, &call), TANDEM_ERR_INVALID_ARGUMENT,
              "dtls_role");
  dial.dtls = dial.dtls_ice = dial.dtls_role = dial.ice_wrong_password = 0;

  /* A refusal with its cause, one that is rejected by hand, one that is cancelled. */
  answer.status = 486;
  answer.answer_after_us = 100000;
  answer.q850_cause = 17;
  answer.retry_after_s = 9;
  answer.srtp = TANDEM_SIM_SRTP_OFF;
  CHECK(tandem_endpoint_set_plan(vendor, NULL, &answer) == TANDEM_OK);
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_status(call) == 486);
  CHECK(tandem_endpoint_call_look(call, &seen) == TANDEM_OK);
  CHECK(seen.q850_cause == 17);
  tandem_endpoint_call_destroy(call);
  answer.answer_after_us = -1;
  CHECK(tandem_endpoint_set_plan(vendor, NULL, &answer) == TANDEM_OK);
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_last_call(vendor, &other) == TANDEM_OK);
  CHECK(tandem_endpoint_call_reject(other, 200, 0, 0) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_endpoint_call_reject(other, 404, 1, 0) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_status(call) == 404);
  tandem_endpoint_call_destroy(call);
  tandem_endpoint_call_destroy(other);
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_cancel(call) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_status(call) == 487);
  tandem_endpoint_call_destroy(call);
  dial.headers = "no header";
  CHECK_ERROR(tandem_endpoint_dial(customer, "44", "1", &dial, &call), TANDEM_ERR_INVALID_ARGUMENT,
              "no header");
  dial.headers = NULL;
  dial.transport = "pigeon";
  CHECK_ERROR(tandem_endpoint_dial(customer, "44", "1", &dial, &call), TANDEM_ERR_INVALID_ARGUMENT,
              "pigeon");
  dial.transport = NULL;
  dial.rtp_pattern = 256;
  CHECK_ERROR(tandem_endpoint_dial(customer, "44", "1", &dial, &call), TANDEM_ERR_INVALID_ARGUMENT,
              "256");
  /* A caller that was built when the structure was younger sets less of it. */
  dial.struct_size = offsetof(tandem_dial_plan, transport);
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1", &dial, &call) == TANDEM_OK);
  tandem_endpoint_call_destroy(call);

  /* Raw bytes, a cut network, the disk, equal runs. */
  CHECK(tandem_world_add_raw_endpoint(world, "10.0.0.5:4000", &first) == TANDEM_OK);
  CHECK(tandem_world_add_raw_endpoint(world, "10.0.0.6:4000", &second) == TANDEM_OK);
  CHECK(tandem_world_add_raw_endpoint(world, "10.0.0.6:4000", &second) ==
        TANDEM_ERR_ALREADY_EXISTS);
  CHECK(tandem_raw_endpoint_send(first, "10.0.0.6:4000", "hi", 2) == TANDEM_OK);
  CHECK(tandem_raw_endpoint_send(first, "nowhere", "hi", 2) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_run_for(world, 10000) == TANDEM_OK);
  CHECK(tandem_raw_endpoint_received(second) == 1);
  CHECK(tandem_raw_endpoint_datagram(second, 0, &from, &at_us, &bytes, &count) == TANDEM_OK);
  CHECK(count == 2 && memcmp(bytes, "hi", 2) == 0 && from.port == 4000 && at_us > 0);
  CHECK(tandem_raw_endpoint_datagram(second, 1, NULL, NULL, NULL, NULL) == TANDEM_ERR_NOT_FOUND);
  tandem_raw_endpoint_clear(second);
  CHECK(tandem_world_partition(world, "10.0.0.5", "10.0.0.6") == TANDEM_OK);
  CHECK(tandem_world_partition(world, "x", "10.0.0.6") == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_raw_endpoint_send(first, "10.0.0.6:4000", "hi", 2) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 10000) == TANDEM_OK);
  CHECK(tandem_raw_endpoint_received(second) == 0);
  CHECK(tandem_world_heal(world, "10.0.0.5", "10.0.0.6") == TANDEM_OK);
  CHECK(tandem_raw_endpoint_send(first, "10.0.0.6:4000", "hi", 2) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 10000) == TANDEM_OK);
  CHECK(tandem_raw_endpoint_received(second) == 1);
  CHECK(tandem_world_trace_hash(world) != 0 && tandem_world_trace_hash(NULL) == 0);
  CHECK(tandem_world_run_until(world, never, NULL, 1000) == TANDEM_ERR_TIMEOUT);
  CHECK(tandem_world_read_file(world, "/no/such", &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_world_set_disk_full(world, 1) == TANDEM_OK);
  CHECK(tandem_world_set_disk_full(world, 0) == TANDEM_OK);
  at_us = tandem_world_wall_us(world);
  CHECK(tandem_world_step_wall(world, 5000000) == TANDEM_OK);
  CHECK(tandem_world_wall_us(world) == at_us + 5000000);
  CHECK(tandem_world_capture(world, 65536) == TANDEM_OK);
  CHECK(tandem_world_write_pcap(world, "/no/such/folder/x.pcap") == TANDEM_ERR_IO);
  CHECK(tandem_endpoint_accept_registrations(vendor, "u", "p", 12, 60) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_endpoint_accept_registrations(vendor, "u", "p", 200, 60) == TANDEM_OK);
  CHECK(tandem_endpoint_registered_contact(vendor, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "");
  tandem_text_destroy(text);
  CHECK(tandem_endpoint_set_silent(vendor, 1) == TANDEM_OK);
  CHECK(tandem_world_clear_cdrs(world) == TANDEM_OK);
  tandem_switch_destroy(object);
  tandem_world_destroy(world);
  tandem_config_destroy(config);
  return check_result();
}
