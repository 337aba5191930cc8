/* A switch on loopback: its life, its errors, its answers, its callbacks. */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "check.h"
#include "folder.h"

static const char config_json[] =
    "{\"sip\": {\"listen\": [\"udp:127.0.0.1:0\"]}, \"media\": {\"ports\": [41000, 41199]},\n"
    " \"admin\": {\"listen\": \"127.0.0.1:0\"},\n"
    " \"provision\": {\n"
    "  \"accounts\": [{\"id\": \"acme\", \"balance\": \"1.00\", \"rate_deck\": \"retail\"}],\n"
    "  \"rate_decks\": [{\"id\": \"retail\", \"rates\": [{\"prefix\": \"44\", \"price\": "
    "\"0.60\"}]}],\n"
    "  \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"127.0.0.9\"], \"account\": "
    "\"acme\"}],\n"
    "  \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"127.0.0.1:9\"], \"prefixes\": "
    "[\"44\"]}]}}";

struct host {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int freed, events, ended, close_code;
  int answered_in_time;
  tandem_switch* object;
};

static void host_free(void* user) { ++((struct host*)user)->freed; }

static void host_event(const tandem_event* event, void* user) {
  struct host* const host = user;
  pthread_mutex_lock(&host->mutex);
  ++host->events;
  if (event->kind == TANDEM_EVENT_CALL_ENDED && event->cdr != NULL) {
    host->close_code = tandem_switch_close(host->object);
    ++host->ended;
  }
  pthread_cond_signal(&host->changed);
  pthread_mutex_unlock(&host->mutex);
}

static void host_policy(const tandem_policy_question* question, void* user) {
  struct host* const host = user;
  tandem_policy_answer answer = TANDEM_POLICY_ANSWER_INIT;
  answer.refuse = 1;
  answer.sip_status = 488;
  host->answered_in_time =
      tandem_switch_answer(host->object, question->token, &answer) == TANDEM_OK;
}

static void host_log(int32_t level, const char* line, void* user) {
  (void)user;
  if (level >= TANDEM_LOG_ERROR) fprintf(stderr, "%s\n", line);
}

static void configurations_report_every_error(void) {
  tandem_config* config = NULL;
  tandem_switch* object = NULL;
  const char* pointer = NULL;
  const char* message = NULL;
  tandem_text* text = NULL;
  CHECK(tandem_config_read_json("{\"sip\": {\"listen\": [\"udp:127.0.0.1:0\"]}, \"nonsense\": 1, "
                                "\"parameters\": {\"max_calls\": -5}}",
                                NULL, &config) == TANDEM_OK);
  CHECK(tandem_config_error_count(config) == 2);
  CHECK(tandem_config_error(config, 0, &pointer, &message) == TANDEM_OK);
  CHECK_TEXT(pointer, "/nonsense");
  CHECK(tandem_config_error(config, 1, &pointer, NULL) == TANDEM_OK);
  CHECK_TEXT(pointer, "/parameters/max_calls");
  CHECK(tandem_config_error(config, 2, NULL, NULL) == TANDEM_ERR_NOT_FOUND);
  CHECK_ERROR(tandem_switch_create(config, NULL, &object), TANDEM_ERR_INVALID_ARGUMENT,
              "/nonsense");
  CHECK_ERROR(tandem_config_rate(config, "a", "1", 1, 0, &text), TANDEM_ERR_INVALID_ARGUMENT,
              "/nonsense");
  tandem_config_destroy(config);
  CHECK(tandem_config_read_file("/nonexistent.json", &config) == TANDEM_OK);
  CHECK(tandem_config_error_count(config) == 1);
  CHECK(tandem_config_warning_count(config) == 0);
  tandem_config_destroy(config);
  CHECK(tandem_config_reference(&text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "no_media_hangup_s") != NULL);
  tandem_text_destroy(text);
}

/* Of a switch without a record of that number. */
static void records_are_disputed(tandem_switch* object) {
  tandem_dispute_query disputes = TANDEM_DISPUTE_QUERY_INIT;
  tandem_maintenance_note_query notes = TANDEM_MAINTENANCE_NOTE_QUERY_INIT;
  tandem_text* text = NULL;
  CHECK(tandem_switch_dispute_record(object, "{\"record_id\": 999999, \"reason\": \"x\"}", NULL) ==
        TANDEM_ERR_NOT_FOUND);
  CHECK_ERROR(tandem_switch_dispute_record(object, "{\"record_id\": 1}", NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "/reason");
  CHECK_ERROR(tandem_switch_dispute_record(
                  object, "{\"record_id\": 1, \"reason\": \"x\", \"day\": \"soon\"}", NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "soon");
  CHECK(tandem_switch_dispute_record(NULL, "{}", NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_disputes(object, &disputes, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "");
  tandem_text_destroy(text);
  disputes.open = 3;
  CHECK(tandem_switch_disputes(object, &disputes, &text) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_disputes(object, NULL, &text) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_maintenance_notes(object, &notes, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  notes.limit = 20001;
  CHECK(tandem_switch_maintenance_notes(object, &notes, &text) == TANDEM_ERR_INVALID_ARGUMENT);
}

/* Of a configuration that no switch runs on. */
static void days_are_kept_when_asked_to(const tandem_config* config) {
  tandem_text* text = NULL;
  CHECK(tandem_config_stored_days(config, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_config_stored_days(config, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "dust", "2026-01-01", NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "seal", "soon", NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "write_columns", "2026-01-01", NULL) !=
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "drop_columns", "2026-01-01", NULL) !=
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "drop_columns", "soon", NULL) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "remove", "2026-01-01", NULL) !=
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_config_maintain(config, "remove", "soon", NULL) == TANDEM_ERR_INVALID_ARGUMENT);
}

static void maintenance_goes_on_beside_calls(tandem_switch* object) {
  tandem_text* text = NULL;
  CHECK(tandem_switch_stored_days(object, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_switch_start_maintenance(object, "nothing", NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_start_maintenance(object, "verify", "x") == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_start_maintenance(object, "run", NULL) == TANDEM_OK);
  CHECK(tandem_switch_maintenance(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"scheduled\":false") != NULL);
  tandem_text_destroy(text);
}

static void warnings_of_a_good_config(void) {
  tandem_config* config = NULL;
  const char* pointer = NULL;
  const char* message = NULL;
  CHECK(tandem_config_read_json(
            "{\"sip\": {\"listen\": [\"udp:127.0.0.1:5060\"]}, \"provision\": {"
            " \"accounts\": [{\"id\": \"acme\"}],"
            " \"customer_gateways\": [{\"id\": \"cust\", \"addresses\": [\"127.0.0.2\"],"
            "                         \"account\": \"acme\", \"min_profit_percent\": \"5\"}],"
            " \"vendor_gateways\": [{\"id\": \"v1\", \"addresses\": [\"127.0.0.3\"], "
            "\"require_rate\": true},"
            "                     {\"id\": \"v2\", \"addresses\": [\"127.0.0.4\"]}]}}",
            NULL, &config) == TANDEM_OK);
  CHECK(tandem_config_error_count(config) == 0);
  CHECK(tandem_config_warning_count(config) == 1);
  CHECK(tandem_config_warning(config, 0, &pointer, &message) == TANDEM_OK);
  CHECK_TEXT(pointer, "/provision/vendor_gateways/1/require_rate");
  CHECK(strstr(message, "v2") != NULL);
  CHECK(tandem_config_warning(config, 0, NULL, NULL) == TANDEM_OK);
  CHECK_ERROR(tandem_config_warning(config, 1, &pointer, NULL), TANDEM_ERR_NOT_FOUND,
              "warning 1 of 1");
  CHECK(tandem_config_warning(NULL, 0, NULL, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  tandem_config_destroy(config);
}

static void names_are_asked_for_when_that_is_wanted(void) {
  tandem_config* config = NULL;
  const char* pointer = NULL;
  const char* message = NULL;
  CHECK(tandem_config_read_json(
            "{\"sip\": {\"listen\": [\"udp:127.0.0.1:5060\"]},"
            " \"dns\": {\"servers\": [\"127.0.0.1:1\"], \"hosts_file\": \"\", \"rounds\": 1},"
            " \"provision\": {\"vendor_gateways\": ["
            "   {\"id\": \"v1\", \"addresses\": [\"127.0.0.3\", \"sip.carrier.invalid\"]}]}}",
            NULL, &config) == TANDEM_OK);
  CHECK(tandem_config_error_count(config) == 0);
  CHECK(tandem_config_warning_count(config) == 0);
  CHECK(tandem_config_ask_names(config) == TANDEM_OK);
  CHECK(tandem_config_warning_count(config) == 1);
  CHECK(tandem_config_warning(config, 0, &pointer, &message) == TANDEM_OK);
  CHECK_TEXT(pointer, "/provision/vendor_gateways/0/addresses/1");
  CHECK(strstr(message, "sip.carrier.invalid") != NULL);
  tandem_config_destroy(config);
  CHECK(tandem_config_read_json("{}", NULL, &config) == TANDEM_OK);
  CHECK(tandem_config_ask_names(config) == TANDEM_ERR_INVALID_ARGUMENT);
  tandem_config_destroy(config);
}

static void questions_need_no_switch(void) {
  tandem_config* config = NULL;
  tandem_explain_request request = TANDEM_EXPLAIN_REQUEST_INIT;
  tandem_text* text = NULL;
  tandem_text* table = NULL;
  CHECK(tandem_config_read_json(config_json, folder, &config) == TANDEM_OK);
  CHECK(tandem_config_error_count(config) == 0);
  CHECK(tandem_config_rate(config, "retail", "442079460000", 60, 0, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"charge\":\"0.60\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_config_rate(config, "retail", "77", 60, 0, &text) == TANDEM_ERR_NOT_FOUND);
  request.from = "cust";
  request.caller = "1000";
  request.callee = "442079460000";
  CHECK(tandem_config_explain(config, &request, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"v1\"") != NULL);
  CHECK(tandem_explain_table(tandem_text_data(text), &table) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(table), "RANK  VENDOR") != NULL);
  tandem_text_destroy(table);
  tandem_text_destroy(text);
  CHECK(tandem_explain_table("[]", &table) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_explain_table(NULL, &table) == TANDEM_ERR_INVALID_ARGUMENT);
  days_are_kept_when_asked_to(config);
  tandem_config_destroy(config);
}

/* One that no call came for. */
static void a_shadow_starts_and_stops(tandem_switch* object) {
  tandem_text* text = NULL;
  tandem_text* table = NULL;
  CHECK(tandem_switch_shadow_report(object, &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_start_shadow(object, "{\"remove\": 3}") == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_start_shadow(object, "{\"decks\": [{\"id\": \"x\", \"version\": 1}]}") ==
        TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_start_shadow(object, "{}") == TANDEM_OK);
  CHECK(tandem_switch_start_shadow(object, "{}") == TANDEM_ERR_WRONG_STATE);
  CHECK(tandem_switch_shadow_report(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"calls\":0") != NULL);
  CHECK(tandem_shadow_table(tandem_text_data(text), 20, &table) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(table), "0 calls") != NULL);
  tandem_text_destroy(table);
  tandem_text_destroy(text);
  CHECK(tandem_shadow_table("{}", 20, &table) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_stop_shadow(object, NULL) == TANDEM_OK);
  CHECK(tandem_switch_stop_shadow(object, &text) == TANDEM_ERR_NOT_FOUND);
}

/* One that no call came for. */
static void a_trace_starts_and_stops(tandem_switch* object) {
  tandem_text* text = NULL;
  uint64_t id = 0;
  CHECK(tandem_switch_start_trace(object, "{\"duration_s\": 0}", &id) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(strncmp(tandem_last_error(), "/duration_s: ", 13) == 0);
  CHECK(tandem_switch_start_trace(object, "{\"callee\": \"44\"}", &id) == TANDEM_OK);
  CHECK(id == 1);
  CHECK(tandem_switch_traces(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"callee\":\"44\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_traced_calls(object, id, &text) == TANDEM_OK);
  CHECK(strcmp(tandem_text_data(text), "[]") == 0);
  tandem_text_destroy(text);
  CHECK(tandem_switch_traced_call(object, id, 7, "pcap", &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_stop_trace(object, id) == TANDEM_OK);
  CHECK(tandem_switch_stop_trace(object, id) == TANDEM_ERR_WRONG_STATE);
  CHECK(tandem_switch_remove_trace(object, id) == TANDEM_OK);
  CHECK(tandem_switch_remove_trace(object, id) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_start_trace(object, NULL, NULL) == TANDEM_OK);
  CHECK(tandem_switch_remove_trace(object, 2) == TANDEM_OK);
}

/* Sends `request` with the test's port filled in, and reads the final response. */
static int ask(const tandem_address* to, const char* from_ip, const char* format, char* response,
               size_t size) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  struct timeval patience = {10, 0};
  char request[2048];
  ssize_t got;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  inet_pton(AF_INET, from_ip, &address.sin_addr);
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) != 0 ||
      getsockname(fd, (struct sockaddr*)&address, &length) != 0)
    return -1;
  snprintf(request, sizeof request, format, from_ip, ntohs(address.sin_port));
  inet_pton(AF_INET, to->ip, &address.sin_addr);
  address.sin_port = htons(to->port);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sendto(fd, request, strlen(request), 0, (struct sockaddr*)&address, sizeof address);
  do {
    got = recv(fd, response, size - 1, 0);
    if (got <= 0) break;
    response[got] = '\0';
  } while (strncmp(response, "SIP/2.0 1", 9) == 0);
  close(fd);
  return got > 0 ? 0 : -1;
}

static const char options[] =
    "OPTIONS sip:switch SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK-1;rport\r\n"
    "From: <sip:t@127.0.0.1>;tag=1\r\nTo: <sip:switch>\r\nCall-ID: options-1\r\n"
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
static const char invite[] =
    "INVITE sip:442079460000@switch SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK-2;rport\r\n"
    "From: <sip:1000@127.0.0.9>;tag=1\r\nTo: <sip:442079460000@switch>\r\nCall-ID: invite-1\r\n"
    "Contact: <sip:1000@127.0.0.9>\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
    "Content-Length: 0\r\n\r\n";

static void objects_change_together(tandem_switch* object) {
  tandem_provisioned_object one = TANDEM_PROVISIONED_OBJECT_INIT;
  tandem_provisioned_object two = TANDEM_PROVISIONED_OBJECT_INIT;
  const tandem_provisioned_object* puts[] = {&one, &two};
  const tandem_provisioned_object* gone[] = {&one};
  tandem_provision_change change = TANDEM_PROVISION_CHANGE_INIT;
  tandem_provision_outcome outcome = TANDEM_PROVISION_OUTCOME_INIT;
  tandem_text* text = NULL;
  one.kind = two.kind = "vendor_gateways";
  one.id = "v3";
  one.json = "{\"addresses\": [\"127.0.0.1:8\"]}";
  two.json = "{\"id\": \"v4\", \"addresses\": [\"127.0.0.1:9\"], \"hue\": 1}";
  change.puts = puts;
  change.puts_count = 2;
  CHECK(tandem_switch_change_objects(object, &change, &outcome, &text) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(strstr(tandem_text_data(text), "\"index\":1") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"pointer\":\"/hue\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_object(object, "vendor_gateways", "v3", &text) == TANDEM_ERR_NOT_FOUND);

  two.json = "{\"id\": \"v4\", \"addresses\": [\"127.0.0.1:9\"]}";
  change.dry_run = 1;
  CHECK(tandem_switch_change_objects(object, &change, &outcome, NULL) == TANDEM_OK);
  CHECK(outcome.created == 2);
  CHECK(tandem_switch_object(object, "vendor_gateways", "v3", &text) == TANDEM_ERR_NOT_FOUND);
  change.dry_run = 0;
  CHECK(tandem_switch_change_objects(object, &change, &outcome, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "[]");
  tandem_text_destroy(text);
  CHECK(outcome.created == 2 && outcome.replaced == 0);

  CHECK(tandem_switch_objects_csv(object, "vendor_gateways", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "127.0.0.1:9") != NULL);
  CHECK(tandem_switch_put_objects_csv(object, "vendor_gateways", tandem_text_data(text), 0,
                                      &outcome, NULL) == TANDEM_OK);
  CHECK(outcome.created == 0 && outcome.replaced == 3);
  tandem_text_destroy(text);
  CHECK_ERROR(
      tandem_switch_put_objects_csv(object, "vendor_gateways", "id,hue\nv5,1\n", 0, NULL, NULL),
      TANDEM_ERR_INVALID_ARGUMENT, "hue");

  one.json = two.json = NULL;
  two.id = "v4";
  change.puts_count = 0;
  change.removals = gone;
  change.removals_count = 1;
  CHECK(tandem_switch_change_objects(object, &change, &outcome, NULL) == TANDEM_OK);
  CHECK(outcome.removed == 1);
  CHECK(tandem_switch_change_objects(object, &change, NULL, NULL) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_remove_object(object, "vendor_gateways", "v4") == TANDEM_OK);
  change.puts = NULL;
  change.puts_count = 1;
  text = (tandem_text*)&outcome; /* whatever stood there */
  CHECK_ERROR(tandem_switch_change_objects(object, &change, NULL, &text),
              TANDEM_ERR_INVALID_ARGUMENT, "puts");
  CHECK(text == NULL);
}

static void objects_are_put_and_removed(tandem_switch* object) {
  tandem_provision_progress progress = TANDEM_PROVISION_PROGRESS_INIT;
  tandem_text* text = NULL;
  int32_t created = -1;
  CHECK(tandem_switch_put_object(object, "vendor_gateways", "v2",
                                 "{\"addresses\": [\"127.0.0.1:8\"]}", &created) == TANDEM_OK);
  CHECK(created == 1);
  CHECK(tandem_switch_put_object(object, "vendor_gateways", "v2",
                                 "{\"addresses\": [\"127.0.0.1:7\"], \"locked\": true}",
                                 &created) == TANDEM_OK);
  CHECK(created == 0);
  CHECK(tandem_switch_objects(object, "vendor_gateways", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"v1\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "127.0.0.1:7") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_object(object, "vendor_gateways", "v2", &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text),
             "{\"addresses\":[\"127.0.0.1:7\"],\"locked\":true,\"id\":\"v2\"}");
  tandem_text_destroy(text);
  CHECK_ERROR(tandem_switch_put_object(object, "vendor_gateways", "v2", "{\"hue\": 1}", NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "/hue");
  CHECK(tandem_switch_put_object(object, "planets", "v2", "{}", NULL) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_objects(object, "planets", &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_remove_object(object, "vendor_gateways", "v2") == TANDEM_OK);
  CHECK(tandem_switch_remove_object(object, "vendor_gateways", "v2") == TANDEM_ERR_NOT_FOUND);
  CHECK_ERROR(tandem_switch_remove_object(object, "accounts", "acme"), TANDEM_ERR_WRONG_STATE,
              "cust");

  CHECK(tandem_switch_provision_progress(object, &progress) == TANDEM_OK);
  CHECK(progress.step == TANDEM_PROVISION_IDLE && progress.total_bytes == 0);
  CHECK(tandem_switch_provision_progress(object, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_provision_progress(NULL, &progress) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_put_rates(object, "retail", "prefix,price\n44,0.70\n", 0, "new") ==
        TANDEM_OK);
  CHECK_ERROR(tandem_switch_put_rates(object, "retail", "prefix,price\n44,x\n", 0, NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "row 2");
  CHECK(tandem_switch_put_rates(object, "retail", "prefix,price\n44,0.80\n",
                                INT64_C(4000000000000000), NULL) == TANDEM_OK);
  CHECK(tandem_switch_deck_versions(object, "retail", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"memo\":\"new\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_deck_diff(object, "retail", 1, 2, 10, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"changed\":1") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_schedule_deck(object, "retail", 3, 0) == TANDEM_OK);
  CHECK(tandem_switch_schedule_deck(object, "retail", 2, 0) == TANDEM_ERR_WRONG_STATE);
  CHECK(tandem_switch_roll_back_deck(object, "retail", 0) == TANDEM_OK);
  CHECK(tandem_switch_rates_csv(object, "retail", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\n44,,0.60,60,") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_roll_back_deck(object, "retail", 9) == TANDEM_ERR_NOT_FOUND);
}

static void count_events(const tandem_event* event, void* user) {
  ++*(int*)user;
  CHECK(event->json[0] == '{');
}

static void a_switch_lives_and_answers(void) {
  struct host host = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, 0, NULL};
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_switch_counters counters = TANDEM_SWITCH_COUNTERS_INIT;
  tandem_explain_request request = TANDEM_EXPLAIN_REQUEST_INIT;
  tandem_config* config = NULL;
  tandem_switch* object = NULL;
  tandem_admin_server* admin = NULL;
  tandem_address address;
  tandem_text* text = NULL;
  char response[4096] = "";
  int64_t balance = 0;
  int32_t transport = -1;
  tandem_event_feed* feed = NULL;
  uint64_t lost = 99;
  int watched = 0;
  tandem_booking booking = TANDEM_BOOKING_INIT;
  tandem_booking_answer booked = TANDEM_BOOKING_ANSWER_INIT;
  tandem_ledger_query entries = TANDEM_LEDGER_QUERY_INIT;
  tandem_rerate_query rerate = TANDEM_RERATE_QUERY_INIT;
  uint64_t job = 0;
  tandem_correction_query corrections = TANDEM_CORRECTION_QUERY_INIT;
  tandem_reconcile_query reconcile = TANDEM_RECONCILE_QUERY_INIT;
  const char* const buys[] = {"retail"};
  int32_t is_ok = 0;
  hooks.on_event = host_event;
  hooks.on_policy = host_policy;
  hooks.log = host_log;
  hooks.user = &host;
  hooks.user_free = host_free;
  CHECK(tandem_config_read_json(config_json, folder, &config) == TANDEM_OK);
  CHECK(tandem_switch_create(config, &hooks, &object) == TANDEM_OK);
  if (object == NULL) return;
  host.object = object;
  CHECK(tandem_switch_listening(object, 0, &address, &transport) == TANDEM_OK);
  CHECK(address.port != 0 && transport == TANDEM_TRANSPORT_UDP);
  CHECK(tandem_switch_listening(object, 1, &address, NULL) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_start(object) == TANDEM_OK);
  CHECK(tandem_switch_start(object) == TANDEM_ERR_WRONG_STATE);

  CHECK(ask(&address, "127.0.0.1", options, response, sizeof response) == 0);
  CHECK(strncmp(response, "SIP/2.0 200", 11) == 0);

  CHECK(tandem_switch_watch(object, 2000000, &feed) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_watch(object, 0, &feed) == TANDEM_OK);

  /* The policy hook refuses the call; its event closes nothing, since it may not. */
  CHECK(ask(&address, "127.0.0.9", invite, response, sizeof response) == 0);
  CHECK(strncmp(response, "SIP/2.0 488", 11) == 0);
  pthread_mutex_lock(&host.mutex);
  while (host.ended == 0)
    pthread_cond_wait(&host.changed, &host.mutex);
  pthread_mutex_unlock(&host.mutex);
  CHECK(host.answered_in_time);
  CHECK(host.close_code == TANDEM_ERR_WRONG_THREAD);
  CHECK(host.events >= 2);

  CHECK(tandem_switch_pay(object, "acme", 500000000, "transfer", &balance) == TANDEM_OK);
  CHECK(balance == 600000000);
  CHECK(tandem_switch_pay(object, "acme", 0, NULL, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_pay(object, "nobody", 1, NULL, NULL) == TANDEM_ERR_NOT_FOUND);
  booking.account = "acme";
  booking.units = 100000000;
  booking.reference = "invoice";
  booking.idempotency_key = "once";
  CHECK(tandem_switch_book(object, &booking, &booked) == TANDEM_OK);
  CHECK(booked.balance_units == 700000000 && booked.units == 100000000 && booked.repeated == 0);
  CHECK(tandem_switch_book(object, &booking, &booked) == TANDEM_OK);
  CHECK(booked.balance_units == 700000000 && booked.repeated == 1);
  booking.units = 200000000;
  CHECK(tandem_switch_book(object, &booking, NULL) == TANDEM_ERR_ALREADY_EXISTS);
  booking.idempotency_key = NULL;
  booking.kind = "package_rent";
  CHECK(tandem_switch_book(object, &booking, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  booking.units = -100000000000;
  booking.covered_only = 1;
  CHECK(tandem_switch_book(object, &booking, NULL) == TANDEM_ERR_WRONG_STATE);
  booking.units = -100000000;
  CHECK(tandem_switch_book(object, &booking, NULL) == TANDEM_OK);
  booking.kind = "gift";
  CHECK(tandem_switch_book(object, &booking, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_book(object, NULL, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_ledger(object, &entries, &text) == TANDEM_ERR_INVALID_ARGUMENT);
  entries.account = "acme";
  CHECK(tandem_switch_ledger(object, &entries, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"kind\":\"opening\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_check_ledger(object, &is_ok, &text) == TANDEM_OK);
  CHECK(is_ok == 1 && strstr(tandem_text_data(text), "\"ok\":true") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_config_check_ledger(config, NULL, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_config_query_ledger(config, &entries, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_switch_rerate(object, &rerate, &text) == TANDEM_ERR_INVALID_ARGUMENT);
  rerate.deck = "retail";
  CHECK(tandem_switch_rerate(object, &rerate, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"accounts\":[]") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_config_rerate(config, &rerate, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_switch_record_call(object, "{\"callee\": 44}", &text) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_correct(object,
                              "{\"record_id\": 999999, \"reason\": \"x\","
                              " \"customer\": {\"charge\": \"1\"}}",
                              NULL) == TANDEM_ERR_NOT_FOUND);
  CHECK_ERROR(tandem_switch_correct(object, "{\"record_id\": 1}", NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "/reason");
  CHECK(tandem_switch_corrections(object, &corrections, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "");
  tandem_text_destroy(text);
  CHECK(tandem_config_query_corrections(config, &corrections, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  records_are_disputed(object);
  CHECK(tandem_switch_apply_rerate(object, &rerate, "new list", NULL, 1, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"dry_run\":true,\"corrected\":0") != NULL);
  tandem_text_destroy(text);
  rerate.includes_settled = 1;
  CHECK(tandem_switch_start_rerate(object, &rerate, "", NULL, 1, &job) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_start_rerate(object, &rerate, "new list", "ann", 1, &job) == TANDEM_OK);
  CHECK(tandem_switch_cancel_rerate(object, job) == TANDEM_OK);
  CHECK(tandem_switch_rerate_job(object, job, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"deck\":\"retail\",\"dry_run\":true") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_rerate_job(object, job + 1, &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_interconnect_totals(object, "v1", 0, 1, 2, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"calls\":0") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_peer_checks(object, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "[]");
  tandem_text_destroy(text);
  reconcile.gateway = "v1";
  reconcile.since_us = 1;
  reconcile.until_us = 2;
  reconcile.csv = "callee,answered_at,billed_time_s\n44,1,60\n";
  CHECK(tandem_config_reconcile(config, &reconcile, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"missing_here\":1") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_margin_report(object, "retail", buys, 1, 0, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"prefix\":\"44\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_config_margin_report(config, "nothing", buys, 1, 0, &text) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_account(object, "acme", &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"balance\":\"6.00\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"largest_overdraft\":\"0.00\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_account(object, "nobody", &text) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_accounts(object, &text) == TANDEM_OK);
  CHECK(tandem_text_data(text)[0] == '[');
  tandem_text_destroy(text);
  CHECK(tandem_switch_gateways(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"v1\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_switch_calls(object, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "[]");
  tandem_text_destroy(text);
  CHECK(tandem_switch_live_calls(object) == 0);
  CHECK(tandem_switch_disconnect(object, 12345) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_switch_read_counters(object, &counters) == TANDEM_OK);
  CHECK(counters.overload_refused == 0 && counters.overload_dropped == 0);
  CHECK(counters.overload_loss_percent == 0);
  CHECK(counters.connections_live == 0 && counters.connections_refused == 0);
  CHECK(counters.connections_unused == 0 && counters.connections_deaf == 0);
  CHECK(counters.sip_memory_bytes > 0);
  CHECK(counters.datagrams_received >= 2 && counters.journal_writable == 1);
  CHECK(counters.is_draining == 0 && counters.dialogs_live == 0);
  CHECK(counters.event_feeds == 1 && counters.feed_events_lost == 0);
  CHECK(tandem_switch_sinks(object, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "{\"name\":\"ledger\",\"position\":") != NULL);
  tandem_text_destroy(text);
  counters.struct_size = offsetof(tandem_switch_counters, dialogs_live);
  counters.dialogs_live = 77;
  CHECK(tandem_switch_read_counters(object, &counters) == TANDEM_OK);
  CHECK(counters.dialogs_live == 77); /* a caller of before has no room for it */
  CHECK(tandem_event_feed_take(feed, 100, 0, count_events, &watched, &lost) == TANDEM_OK);
  CHECK(watched == host.events && lost == 0);
  CHECK(tandem_event_feed_take(feed, 100, 0, NULL, NULL, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  objects_change_together(object);
  objects_are_put_and_removed(object);
  a_shadow_starts_and_stops(object);
  a_trace_starts_and_stops(object);
  maintenance_goes_on_beside_calls(object);
  request.from = "127.0.0.9";
  request.caller = "1000";
  request.callee = "4420";
  CHECK(tandem_switch_explain(object, &request, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_switch_cdrs(object, NULL, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_switch_reload_json(object, "{\"sip\": {}}", folder, NULL) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_reload(object, config, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "");
  tandem_text_destroy(text);

  CHECK(tandem_admin_server_create(config, object, &admin) == TANDEM_OK);
  CHECK(tandem_admin_server_address(admin, &address) == TANDEM_OK);
  CHECK(address.port != 0);
  tandem_admin_server_destroy(admin);

  CHECK(tandem_switch_drain(object) == TANDEM_OK);
  CHECK(tandem_switch_wait_idle(object, 40000000) == TANDEM_OK);
  CHECK(tandem_switch_wait_idle(object, -1) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_switch_close(object) == TANDEM_OK);
  CHECK(tandem_switch_close(object) == TANDEM_OK);
  CHECK(tandem_switch_start(object) == TANDEM_ERR_WRONG_STATE);
  CHECK(host.freed == 0);
  CHECK(tandem_event_feed_take(feed, 100, 0, count_events, &watched, NULL) == TANDEM_OK);
  CHECK(tandem_event_feed_take(feed, 100, 0, count_events, &watched, NULL) ==
        TANDEM_ERR_WRONG_STATE);
  tandem_switch_destroy(object);
  tandem_event_feed_destroy(feed);
  CHECK(host.freed == 1);
  tandem_config_destroy(config);
}

static void a_failed_create_frees_what_it_took(void) {
  struct host host;
  tandem_switch_hooks hooks = TANDEM_SWITCH_HOOKS_INIT;
  tandem_switch* object = NULL;
  memset(&host, 0, sizeof host);
  hooks.user = &host;
  hooks.user_free = host_free;
  CHECK_ERROR(tandem_switch_create_json("{", NULL, &hooks, &object), TANDEM_ERR_INVALID_ARGUMENT,
              "");
  CHECK(host.freed == 1);
  CHECK(tandem_switch_create_json(NULL, NULL, &hooks, &object) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(host.freed == 2);
  CHECK(tandem_switch_create_file("/nonexistent", &hooks, &object) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(host.freed == 3);
  hooks.log_level = 17;
  CHECK_ERROR(tandem_switch_create_json(config_json, folder, &hooks, &object),
              TANDEM_ERR_INVALID_ARGUMENT, "log_level 17");
  CHECK(host.freed == 4);
  CHECK(object == NULL);
}

static void destroying_nothing_does_nothing(void) {
  tandem_switch_destroy(NULL);
  tandem_config_destroy(NULL);
  tandem_admin_server_destroy(NULL);
  tandem_cdr_sink_destroy(NULL);
  tandem_cdr_journal_destroy(NULL);
  tandem_media_relay_destroy(NULL);
  tandem_media_session_destroy(NULL);
  CHECK(tandem_switch_live_calls(NULL) == 0);
  CHECK(tandem_config_error_count(NULL) == 0);
  CHECK(tandem_config_warning_count(NULL) == 0);
}

int main(void) {
  folder_make();
  configurations_report_every_error();
  warnings_of_a_good_config();
  names_are_asked_for_when_that_is_wanted();
  questions_need_no_switch();
  a_failed_create_frees_what_it_took();
  a_switch_lives_and_answers();
  destroying_nothing_does_nothing();
  folder_empty(folder);
  return check_result();
}
