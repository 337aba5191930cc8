/* Servers, kinds of endpoints and the network of the test kit, from C. */
#include "check.h"

static const char config_json[] =
    "{\"sip\": {\"listen\": [\"udp:10.0.0.1:5060\", \"ws:10.0.0.1:80\"]},"
    " \"media\": {\"address\": \"10.0.0.1\"},"
    " \"dns\": {\"servers\": [\"10.0.0.53\"]},"
    " \"provision\": {"
    "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"9.00\", \"rate_deck\": \"retail\"}],"
    "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"44\", \"price\": "
    "\"0.60\"}]}],"
    "  \"lrn_resolvers\": [{\"id\": \"ours\", \"kind\": \"sip302\","
    "     \"addresses\": [\"10.0.0.7:5060\"]}],"
    "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"10.0.0.2\"],"
    "     \"account\": \"acme\", \"lrn\": {\"resolver\": \"ours\"}}],"
    "  \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"sip.example.com\"],"
    "     \"prefixes\": [\"33\"]}]}}";

struct seen {
  size_t datagrams, invites, filtered;
};

static int drops_invites(const tandem_sim_datagram* datagram, void* user) {
  struct seen* seen = user;
  if (datagram->count < 6 || memcmp(datagram->bytes, "INVITE", 6) != 0) return 0;
  ++seen->invites;
  return datagram->fate == TANDEM_SIM_FATE_SENT && datagram->from.port == 5060;
}
static void watch(const tandem_sim_datagram* datagram, void* user) {
  struct seen* seen = user;
  ++seen->datagrams;
  if (datagram->fate == TANDEM_SIM_FATE_FILTERED) ++seen->filtered;
}

static void check_network(tandem_world* world, tandem_endpoint* customer) {
  struct seen seen = {0, 0, 0};
  tandem_network_counters counters = TANDEM_NETWORK_COUNTERS_INIT;
  tandem_endpoint_call* call = NULL;
  CHECK(tandem_world_drop_if(NULL, drops_invites, &seen) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_drop_if(world, drops_invites, &seen) == TANDEM_OK);
  CHECK(tandem_world_set_tap(world, watch, &seen) == TANDEM_OK);
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", NULL, &call) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 2000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_state(call) == TANDEM_CALL_BEGUN);
  CHECK(seen.invites >= 2 && seen.filtered == seen.invites && seen.datagrams >= seen.invites);
  CHECK(tandem_world_count(world, &counters) == TANDEM_OK);
  CHECK(counters.filtered == seen.filtered && counters.sent > counters.filtered);
  CHECK(counters.streams_opened >= 1);
  CHECK(tandem_world_count(world, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_drop_if(world, NULL, NULL) == TANDEM_OK);
  CHECK(tandem_world_set_tap(world, NULL, NULL) == TANDEM_OK);
  CHECK(tandem_endpoint_call_hang_up(call) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(seen.filtered == seen.invites);
  tandem_endpoint_call_destroy(call);
}

int main(void) {
  tandem_config* config = NULL;
  tandem_world* world = NULL;
  tandem_switch* object = NULL;
  tandem_endpoint *customer = NULL, *vendor = NULL, *browser = NULL, *secured = NULL;
  tandem_endpoint_config wanted = TANDEM_ENDPOINT_CONFIG_INIT;
  tandem_endpoint_counters counters = TANDEM_ENDPOINT_COUNTERS_INIT;
  tandem_endpoint_call* call = NULL;
  tandem_endpoint_call_view view = TANDEM_ENDPOINT_CALL_VIEW_INIT;
  tandem_dial_plan dial = TANDEM_DIAL_PLAN_INIT;
  tandem_lrn_server* numbers = NULL;
  tandem_dns_server* names = NULL;
  tandem_dns_manners manners = TANDEM_DNS_MANNERS_INIT;
  tandem_text* text = NULL;
  CHECK(tandem_config_read_json(config_json, NULL, &config) == TANDEM_OK);
  CHECK(tandem_world_create(7, &world) == TANDEM_OK);
  CHECK(tandem_world_create_switch(world, config, NULL, &object) == TANDEM_OK);

  /* A vendor is found by its name, and by where its number went. */
  CHECK(tandem_world_add_dns_server(world, "nowhere", &names) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_add_dns_server(world, "10.0.0.53", &names) == TANDEM_OK);
  CHECK(tandem_dns_server_set(names, "_sip._udp.sip.example.com", "SRV",
                              "10 0 5070 sbc.example.com\n20 0 5070 none.example.com\n",
                              120) == TANDEM_OK);
  CHECK(tandem_dns_server_set(names, "sbc.example.com", "A", "here", 60) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_dns_server_set(names, "sbc.example.com", "A", "10.0.0.9", 60) == TANDEM_OK);
  CHECK(tandem_dns_server_set(names, "none.example.com", "A", NULL, 60) == TANDEM_OK);
  CHECK(tandem_world_add_lrn_server(world, "10.0.0.7:5060", "host", &numbers) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_add_lrn_server(world, "10.0.0.7:5060", "sip302", &numbers) == TANDEM_OK);
  CHECK(tandem_lrn_server_set(numbers, "442079460000", "33740000000", NULL) == TANDEM_OK);
  CHECK(tandem_lrn_server_set(numbers, NULL, NULL, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_start(object) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.2:5060", "10.0.0.1:5060", &customer) == TANDEM_OK);
  CHECK(tandem_world_add_endpoint(world, "10.0.0.9:5070", NULL, &vendor) == TANDEM_OK);
  CHECK(tandem_world_run_for(world, 1000000) == TANDEM_OK);
  dial.hang_up_after_us = 1000000;
  dial.send_rtp = 1;
  CHECK(tandem_endpoint_dial(customer, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_look(call, &view) == TANDEM_OK);
  CHECK(view.is_answered == 1);
  tandem_endpoint_call_destroy(call);
  CHECK(tandem_endpoint_count(vendor, &counters) == TANDEM_OK);
  CHECK(counters.calls_in == 1 && counters.calls_out == 0 && counters.answered == 1);
  CHECK(counters.released == 1 && counters.calls_live == 0 && counters.packets_received > 40);
  CHECK(tandem_endpoint_count(NULL, &counters) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_lrn_server_asked(numbers, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "442079460000\n");
  tandem_text_destroy(text);
  CHECK(tandem_dns_server_asked(names, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "_sip._udp.sip.example.com SRV\n") != NULL);
  tandem_text_destroy(text);

  /* A server that says nothing, and one that has forgotten. */
  CHECK(tandem_lrn_server_behave(numbers, -1, 0, 0) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_lrn_server_behave(numbers, 1000, 0, 1) == TANDEM_OK);
  manners.is_silent = 1;
  manners.forged_address = "x";
  CHECK(tandem_dns_server_behave(names, &manners) == TANDEM_ERR_INVALID_ARGUMENT);
  manners.forged_address = NULL;
  CHECK(tandem_dns_server_behave(names, &manners) == TANDEM_OK);
  CHECK(tandem_dns_server_forget(names, "none.example.com") == TANDEM_OK);
  CHECK(tandem_endpoint_dial(customer, "442079460001", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_lrn_server_asked(numbers, &text) == TANDEM_OK);
  CHECK(strncmp(tandem_text_data(text), "442079460000\n442079460001\n", 26) == 0);
  tandem_text_destroy(text);
  tandem_endpoint_call_destroy(call);
  CHECK(tandem_lrn_server_behave(numbers, 0, 0, 0) == TANDEM_OK);

  /* A browser comes by WebSocket; nobody knows it, and it hears so. */
  wanted.address = "10.0.0.3:5060";
  wanted.peer = "10.0.0.1:5060";
  wanted.product = "page";
  wanted.is_browser = 1;
  CHECK(tandem_world_add_endpoint_with(world, NULL, &browser) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_world_add_endpoint_with(world, &wanted, &browser) == TANDEM_OK);
  dial.transport = "ws";
  CHECK(tandem_endpoint_dial(browser, "442079460000", "1000", &dial, &call) == TANDEM_OK);
  CHECK(tandem_world_run_until_idle(world, 600000000) == TANDEM_OK);
  CHECK(tandem_endpoint_call_status(call) == 403);
  tandem_endpoint_call_destroy(call);
  check_network(world, customer);

  /* One on TLS whose certificate is not there. */
  wanted.address = "10.0.0.4:5060";
  wanted.is_browser = 0;
  wanted.client_certificate = 3;
  CHECK_ERROR(tandem_world_add_endpoint_with(world, &wanted, &secured), TANDEM_ERR_INVALID_ARGUMENT,
              "client_certificate 3");
  wanted.client_certificate = TANDEM_SIM_CERTIFICATE_ASK;
  wanted.tls_certificate = "/no/such.pem";
  CHECK(tandem_world_add_endpoint_with(world, &wanted, &secured) != TANDEM_OK);
  wanted.tls_certificate = NULL;
  wanted.tls_not_verified = 1;
  CHECK(tandem_world_add_endpoint_with(world, &wanted, &secured) == TANDEM_OK);
  tandem_switch_destroy(object);
  tandem_world_destroy(world);
  tandem_config_destroy(config);
  return check_result();
}
