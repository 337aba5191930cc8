/* Records, sinks of the host, the journal alone, the media relay. */
#define _DEFAULT_SOURCE
#include "check.h"
#include "folder.h"

struct host {
  int written, flushed, freed, refuse_once;
  uint64_t last_id;
  char callee[33];
};

static int host_write(const tandem_cdr* cdr, void* user) {
  struct host* const host = user;
  if (host->refuse_once) {
    host->refuse_once = 0;
    return TANDEM_ERR_IO;
  }
  ++host->written;
  host->last_id = cdr->record_id;
  snprintf(host->callee, sizeof host->callee, "%s", cdr->callee);
  return TANDEM_OK;
}
static int host_flush(void* user) {
  ++((struct host*)user)->flushed;
  return TANDEM_OK;
}
static void host_free(void* user) { ++((struct host*)user)->freed; }

static tandem_cdr example(void) {
  static tandem_charge_facts customer = TANDEM_CHARGE_FACTS_INIT;
  static tandem_attempt attempt = TANDEM_ATTEMPT_INIT;
  static tandem_charge_facts agent = TANDEM_CHARGE_FACTS_INIT;
  static const tandem_attempt* const attempts[] = {&attempt};
  tandem_cdr cdr = TANDEM_CDR_INIT;
  customer.account = "acme";
  customer.charge_units = 120000000;
  customer.currency = "USD";
  attempt.vendor_gateway = "v1";
  attempt.sip_status = 200;
  cdr.call_id = "abc@192.0.2.1";
  cdr.customer_gateway = "cust";
  cdr.vendor_gateway = "v1";
  cdr.caller_in = cdr.caller = cdr.caller_out = "1000";
  cdr.callee_in = cdr.callee = cdr.callee_out = "442079460000";
  cdr.started_at_us = INT64_C(1767225600000000);
  cdr.answered_at_us = cdr.started_at_us + 2000000;
  cdr.ended_at_us = cdr.answered_at_us + 61000000;
  cdr.talk_time_ms = 61000;
  agent.account = "agency";
  agent.charge_units = 80000000;
  cdr.customer = &customer;
  cdr.agent = &agent;
  cdr.end_reason = cdr.end_code = cdr.q850_cause = 16;
  cdr.sip_status = 200;
  cdr.attempts = attempts;
  cdr.attempts_count = 1;
  cdr.codec = "PCMA";
  cdr.caller_codecs = "PCMU,PCMA";
  cdr.call_level = TANDEM_CALL_LEVEL_DOMESTIC;
  return cdr;
}

static void records_become_text(void) {
  tandem_cdr cdr = example();
  tandem_text* text = NULL;
  CHECK(tandem_cdr_to_json(&cdr, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"charge\":\"1.20\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"agent_charge\":\"0.80\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"end_reason\":\"NormalCallClearing\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"codec\":\"PCMA\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"codecs\":\"PCMU,PCMA\"") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"call_level\":\"domestic\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_cdr_to_csv(&cdr, &text) == TANDEM_OK);
  tandem_text_destroy(text);
  CHECK(tandem_cdr_csv_header(&text) == TANDEM_OK);
  CHECK(strncmp(tandem_text_data(text), "record_id,", 10) == 0);
  tandem_text_destroy(text);
  cdr.call_level = 3;
  CHECK_ERROR(tandem_cdr_to_json(&cdr, &text), TANDEM_ERR_INVALID_ARGUMENT, "call_level 3");
  cdr.end_reason = 12345;
  CHECK_ERROR(tandem_cdr_to_json(&cdr, &text), TANDEM_ERR_INVALID_ARGUMENT, "12345");
}

static void user_is_freed_once_whatever_happens(void) {
  struct host host;
  tandem_cdr_sink_config config = TANDEM_CDR_SINK_CONFIG_INIT;
  tandem_cdr_sink* sink = NULL;
  memset(&host, 0, sizeof host);
  config.user = &host;
  config.user_free = host_free;
  CHECK_ERROR(tandem_cdr_sink_create(&config, &sink), TANDEM_ERR_INVALID_ARGUMENT, "write");
  CHECK(host.freed == 1);
  config.write = host_write;
  CHECK(tandem_cdr_sink_create(&config, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(host.freed == 2);
  CHECK(tandem_cdr_sink_create(&config, &sink) == TANDEM_OK);
  CHECK(host.freed == 2);
  tandem_cdr_sink_destroy(sink);
  CHECK(host.freed == 3);
  CHECK(tandem_cdr_sink_create(&config, &sink) == TANDEM_OK);
  CHECK(tandem_cdr_journal_add_sink(NULL, "a", sink) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(host.freed == 4);
}

static void a_host_sink_gets_every_record_even_after_a_refusal(void) {
  struct host host;
  tandem_cdr cdr = example();
  tandem_cdr_sink_config sink_config = TANDEM_CDR_SINK_CONFIG_INIT;
  tandem_cdr_journal_config config = TANDEM_CDR_JOURNAL_CONFIG_INIT;
  tandem_cdr_journal_counters counters = TANDEM_CDR_JOURNAL_COUNTERS_INIT;
  tandem_cdr_journal* journal = NULL;
  tandem_cdr_journal* second = NULL;
  tandem_cdr_sink* sink = NULL;
  tandem_text* text = NULL;
  uint64_t id = 0;
  memset(&host, 0, sizeof host);
  sink_config.write = host_write;
  sink_config.flush = host_flush;
  sink_config.user_free = host_free;
  sink_config.user = &host;
  config.folder = folder_path("journal");
  config.segment_bytes = 1 << 20;
  CHECK(tandem_cdr_journal_open(&config, &journal) == TANDEM_OK);
  CHECK(tandem_cdr_sink_create(&sink_config, &sink) == TANDEM_OK);
  CHECK(tandem_cdr_journal_add_sink(journal, "host", sink) == TANDEM_OK);
  CHECK(tandem_cdr_journal_start(journal) == TANDEM_OK);
  CHECK(tandem_cdr_journal_start(journal) == TANDEM_ERR_WRONG_STATE);
  CHECK(tandem_cdr_journal_append(journal, &cdr, &id) == TANDEM_OK);
  CHECK(id > 0);
  CHECK(tandem_cdr_journal_append(journal, &cdr, NULL) == TANDEM_OK);
  CHECK(tandem_cdr_journal_wait_durable(journal, id, 10000) == TANDEM_OK);
  CHECK(tandem_cdr_journal_durable_id(journal) >= id);
  CHECK(tandem_cdr_journal_is_writable(journal) == 1);
  CHECK(tandem_cdr_journal_sinks(journal, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"name\":\"host\"") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_cdr_journal_close(journal, 10000) == TANDEM_OK);
  CHECK(tandem_cdr_journal_read_counters(journal, &counters) == TANDEM_OK);
  CHECK(counters.appended >= 2 && counters.refused == 0); /* marks of the journal count too */
  CHECK(host.written == 2 && host.flushed >= 1);
  CHECK_TEXT(host.callee, "442079460000");
  tandem_cdr_journal_destroy(journal);
  CHECK(host.freed == 1);

  /* What a sink did not take is offered again by the next journal in the same folder. */
  memset(&host, 0, sizeof host);
  host.refuse_once = 1;
  config.folder = folder_path("journal");
  config.without_threads = 1;
  CHECK(tandem_cdr_journal_open(&config, &second) == TANDEM_OK);
  CHECK(tandem_cdr_sink_create(&sink_config, &sink) == TANDEM_OK);
  CHECK(tandem_cdr_journal_add_sink(second, "later", sink) == TANDEM_OK);
  CHECK(tandem_cdr_journal_start(second) == TANDEM_OK);
  CHECK(tandem_cdr_journal_append(second, &cdr, &id) == TANDEM_OK);
  CHECK(tandem_cdr_journal_pump(second) == TANDEM_OK);
  CHECK(host.last_id != id);
  tandem_cdr_journal_destroy(second);
  CHECK(host.freed == 1);
}

static void built_in_sinks_work_alone(void) {
  uint64_t records = 0;
  tandem_cdr cdr = example();
  tandem_csv_sink_config config = TANDEM_CSV_SINK_CONFIG_INIT;
  tandem_cdr_query query = TANDEM_CDR_QUERY_INIT;
  tandem_cdr_sink* sink = NULL;
  tandem_text* text = NULL;
  char line[4096];
  FILE* file;
  config.path = folder_path("out.csv");
  CHECK(tandem_cdr_sink_create_csv(&config, &sink) == TANDEM_OK);
  CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_ERR_INVALID_ARGUMENT);
  cdr.record_id = 1;
  CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  CHECK(tandem_cdr_sink_flush(sink) == TANDEM_OK);
  tandem_cdr_sink_destroy(sink);
  file = fopen(folder_path("out.csv"), "r");
  CHECK(file != NULL);
  if (file != NULL) {
    CHECK(fgets(line, sizeof line, file) != NULL && strncmp(line, "record_id,", 10) == 0);
    CHECK(fgets(line, sizeof line, file) != NULL && strncmp(line, "1,abc@192.0.2.1,", 16) == 0);
    fclose(file);
  }
  CHECK(tandem_cdr_sink_create_sqlite(folder_path("days"), &sink) == TANDEM_OK);
  CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  CHECK(tandem_cdr_sink_flush(sink) == TANDEM_OK);
  query.callee = "4420*";
  CHECK(tandem_cdr_store_query(folder_path("days"), &query, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"record_id\":1,") != NULL);
  tandem_text_destroy(text);
  tandem_cdr_sink_destroy(sink);
  query.reason = "NoSuchReason";
  CHECK(tandem_cdr_store_query(folder_path("days"), &query, &text) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK_ERROR(tandem_cdr_sink_create_slots(folder_path("slots"), "Nowhere/Land", &sink),
              TANDEM_ERR_INVALID_ARGUMENT, "Nowhere/Land");
  CHECK(tandem_cdr_sink_create_slots(folder_path("slots"), NULL, &sink) == TANDEM_OK);
  CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  CHECK(tandem_cdr_sink_flush(sink) == TANDEM_OK);
  char days[4096]; /* folder_path() has one buffer */
  snprintf(days, sizeof days, "%s", folder_path("days"));
  CHECK(tandem_cdr_slots_rebuild(days, folder_path("slots"), NULL, NULL) ==
        TANDEM_ERR_ALREADY_EXISTS);
  tandem_cdr_sink_destroy(sink);
  CHECK_ERROR(tandem_cdr_sink_create_slots(folder_path("slots"), "+05:30", &sink),
              TANDEM_ERR_INVALID_ARGUMENT, "+05:30");
  CHECK(tandem_cdr_slots_rebuild(days, folder_path("slots"), "+05:30", &records) == TANDEM_OK);
  CHECK(records == 1);
  CHECK(tandem_cdr_sink_create_slots(folder_path("slots"), "+05:30", &sink) == TANDEM_OK);
  tandem_cdr_sink_destroy(sink);
}

static int refuse_first(const tandem_cdr* cdr, void* user) {
  uint64_t* first = user;
  if (*first == 0) *first = cdr->record_id;
  return cdr->record_id == *first ? TANDEM_ERR_INVALID_ARGUMENT : TANDEM_OK;
}

static void a_record_that_is_refused_for_good_is_set_aside(void) {
  tandem_cdr cdr = example();
  tandem_cdr_sink_config sink_config = TANDEM_CDR_SINK_CONFIG_INIT;
  tandem_cdr_journal_config config = TANDEM_CDR_JOURNAL_CONFIG_INIT;
  tandem_cdr_journal* journal = NULL;
  tandem_cdr_sink* sink = NULL;
  tandem_text* text = NULL;
  uint64_t first = 0;
  int32_t is_ok = 0;
  char line[4096];
  FILE* file;
  sink_config.write = refuse_first;
  sink_config.user = &first;
  config.folder = folder_path("strict");
  config.segment_bytes = 1 << 20;
  config.without_threads = 1;
  CHECK(tandem_cdr_journal_open(&config, &journal) == TANDEM_OK);
  CHECK(tandem_cdr_sink_create(&sink_config, &sink) == TANDEM_OK);
  CHECK(tandem_cdr_journal_add_strict_sink(journal, "strict", sink, 1) == TANDEM_OK);
  CHECK(tandem_cdr_journal_start(journal) == TANDEM_OK);
  CHECK(tandem_cdr_journal_append(journal, &cdr, NULL) == TANDEM_OK);
  CHECK(tandem_cdr_journal_append(journal, &cdr, NULL) == TANDEM_OK);
  CHECK(tandem_cdr_journal_pump(journal) == TANDEM_OK);
  CHECK(tandem_cdr_journal_sinks(journal, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"lag_records\":0,") != NULL);
  CHECK(strstr(tandem_text_data(text), "\"set_aside\":1}") != NULL);
  tandem_text_destroy(text);
  tandem_cdr_journal_destroy(journal);
  CHECK(tandem_check_journal(folder_path("strict"), &is_ok, &text) == TANDEM_OK);
  CHECK(is_ok == 1 && strstr(tandem_text_data(text), "\"ends\":2,") != NULL);
  tandem_text_destroy(text);
  CHECK(tandem_check_journal(folder_path("absent"), NULL, &text) == TANDEM_ERR_NOT_FOUND);
  file = fopen(folder_path("strict/strict.set-aside"), "r");
  CHECK(file != NULL);
  if (file != NULL) {
    CHECK(fgets(line, sizeof line, file) != NULL && strncmp(line, "{\"record_id\":", 13) == 0);
    fclose(file);
  }
}

static void files_of_an_interval_are_written(void) {
  tandem_cdr_files_config config = TANDEM_CDR_FILES_CONFIG_INIT;
  tandem_cdr cdr = example();
  tandem_cdr_sink* sink = NULL;
  FILE* file;
  config.folder = folder_path("files");
  config.layout = TANDEM_CSV_LAYOUT_PIPE;
  config.interval_s = 59;
  CHECK_ERROR(tandem_cdr_sink_create_files(&config, &sink), TANDEM_ERR_INVALID_ARGUMENT,
              "interval_s 59");
  config.interval_s = 60;
  config.records_max = 1;
  CHECK(tandem_cdr_sink_create_files(&config, &sink) == TANDEM_OK);
  cdr.ended_at_us = 1700000000000000; /* 2023-11-14T22:13:20Z */
  for (cdr.record_id = 1; cdr.record_id <= 2; ++cdr.record_id)
    CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  CHECK(tandem_cdr_sink_flush(sink) == TANDEM_OK);
  tandem_cdr_sink_destroy(sink);
  file = fopen(folder_path("files/20231114221300.txt"), "r");
  CHECK(file != NULL);
  if (file != NULL) fclose(file);
  file = fopen(folder_path("files/20231114221300-2.txt.part"), "r");
  CHECK(file != NULL);
  if (file != NULL) fclose(file);
}

static void sinks_on_other_machines_are_made_or_refused(void) {
  tandem_cdr_push_config push = TANDEM_CDR_PUSH_CONFIG_INIT;
  tandem_cdr_sql_config sql = TANDEM_CDR_SQL_CONFIG_INIT;
  const char* header = "no colon";
  tandem_cdr cdr = example();
  tandem_cdr_sink* sink = NULL;
  int code;
  push.folder = folder_path("push");
  push.url = "https://127.0.0.1/";
  push.tls_key = "a.key";
  CHECK_ERROR(tandem_cdr_sink_create_push(&push, &sink), TANDEM_ERR_INVALID_ARGUMENT,
              "without tls_certificate");
  push.tls_key = NULL;
  push.tls_ca = folder_path("no-such-ca.pem");
  CHECK_ERROR(tandem_cdr_sink_create_push(&push, &sink), TANDEM_ERR_IO, "no-such-ca.pem");
  push.tls_ca = NULL;
  push.url = "http://127.0.0.1:1/cdrs"; /* nobody listens there */
  push.headers = &header;
  push.headers_count = 1;
  CHECK_ERROR(tandem_cdr_sink_create_push(&push, &sink), TANDEM_ERR_INVALID_ARGUMENT,
              "Name: value");
  push.headers_count = 0;
  CHECK(tandem_cdr_sink_create_push(&push, &sink) == TANDEM_OK);
  cdr.record_id = 1;
  CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  CHECK_ERROR(tandem_cdr_sink_flush(sink), TANDEM_ERR_IO, "127.0.0.1");
  tandem_cdr_sink_destroy(sink);

  sql.folder = folder_path("sql");
  sql.connection = "host=/nowhere dbname=cdr";
  sql.table = "not a name";
  CHECK_ERROR(tandem_cdr_sink_create_postgresql(&sql, &sink), TANDEM_ERR_INVALID_ARGUMENT,
              "not a name");
  sql.table = NULL;
  code = tandem_cdr_sink_create_postgresql(&sql, &sink);
  CHECK(code == TANDEM_OK || code == TANDEM_ERR_UNSUPPORTED); /* a component that may be left out */
  if (code == TANDEM_OK) {
    CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
    CHECK_ERROR(tandem_cdr_sink_flush(sink), TANDEM_ERR_IO, "PostgreSQL");
    tandem_cdr_sink_destroy(sink);
  }
  CHECK_ERROR(tandem_cdr_sink_create_mariadb(&sql, &sink), TANDEM_ERR_INVALID_ARGUMENT, "dbname");
}

static void stored_records_are_read_one_by_one_and_reported(void) {
  tandem_cdr_query query = TANDEM_CDR_QUERY_INIT;
  tandem_cdr_guards guards = TANDEM_CDR_GUARDS_INIT;
  tandem_call_report_request request = TANDEM_CALL_REPORT_REQUEST_INIT;
  tandem_cdr cdr = example();
  tandem_cdr_sink* sink = NULL;
  tandem_cdr_cursor* cursor = NULL;
  const tandem_cdr* record = NULL;
  tandem_text* text = NULL;
  uint64_t id;
  CHECK(tandem_cdr_sink_create_sqlite(folder_path("asked"), &sink) == TANDEM_OK);
  for (id = 1; id <= 3; ++id) {
    cdr.record_id = id;
    cdr.ended_at_us = 1700000000000000 + (int64_t)id;
    CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  }
  CHECK(tandem_cdr_sink_flush(sink) == TANDEM_OK);
  tandem_cdr_sink_destroy(sink);

  CHECK(tandem_cdr_store_cursor(folder_path("asked"), NULL, NULL, &cursor) == TANDEM_OK);
  for (id = 3; id >= 1; --id) {
    CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK);
    CHECK(record != NULL && record->record_id == id);
  }
  CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK && record == NULL);
  CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK && record == NULL);
  tandem_cdr_cursor_destroy(cursor);
  tandem_cdr_cursor_destroy(NULL);

  query.before_record_id = 3;
  query.limit = 1;
  CHECK(tandem_cdr_store_cursor(folder_path("asked"), &query, NULL, &cursor) == TANDEM_OK);
  CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK && record->record_id == 2);
  CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK && record == NULL);
  tandem_cdr_cursor_destroy(cursor);

  guards.rows_max = 2;
  CHECK(tandem_cdr_store_cursor(folder_path("asked"), NULL, &guards, &cursor) == TANDEM_OK);
  CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK);
  CHECK(tandem_cdr_cursor_next(cursor, &record) == TANDEM_OK);
  CHECK_ERROR(tandem_cdr_cursor_next(cursor, &record), TANDEM_ERR_LIMIT, "more than 2 records");
  tandem_cdr_cursor_destroy(cursor);
  guards.rows_max = -2;
  CHECK(tandem_cdr_store_cursor(folder_path("asked"), NULL, &guards, &cursor) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  query.answered = 2;
  CHECK(tandem_cdr_store_cursor(folder_path("asked"), &query, NULL, &cursor) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  query.answered = 0;

  request.name = "customer-gateways";
  CHECK(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "\"attempts\":3,") != NULL);
  tandem_text_destroy(text);
  request.format = "csv";
  request.by = "day";
  CHECK(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "2023-11-14T00:00:00Z,") != NULL);
  tandem_text_destroy(text);
  request.timezone = "+05:30";
  CHECK(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text) == TANDEM_OK);
  CHECK(strstr(tandem_text_data(text), "T00:00:00+05:30,") != NULL);
  tandem_text_destroy(text);
  request.timezone = "Nowhere/Land";
  CHECK_ERROR(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text),
              TANDEM_ERR_INVALID_ARGUMENT, "Nowhere/Land");
  request.timezone = NULL;
  query.limit = 0;
  query.before_record_id = 0;
  query.call_id = "no such call";
  request.filter = &query;
  request.format = "json";
  CHECK(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(text), "[]");
  tandem_text_destroy(text);
  request.format = "xml";
  CHECK_ERROR(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text),
              TANDEM_ERR_INVALID_ARGUMENT, "xml");
  request.name = "nonsense";
  CHECK_ERROR(tandem_cdr_store_call_report(folder_path("asked"), &request, NULL, &text),
              TANDEM_ERR_INVALID_ARGUMENT, "nonsense");
}

static void records_are_columns_and_answer_sql(void) {
  tandem_cdr cdr = example();
  tandem_cdr_query query = TANDEM_CDR_QUERY_INIT;
  tandem_cdr_guards guards = TANDEM_CDR_GUARDS_INIT;
  const char* const names[] = {"record_id", "end_reason", "vendor_charge_units"};
  const char* const unknown[] = {"colour"};
  tandem_cdr_sink* sink = NULL;
  tandem_cdr_columns* columns = NULL;
  tandem_text* answer = NULL;
  const int64_t* ids = NULL;
  const int32_t* codes = NULL;
  const uint8_t* nulls = NULL;
  const char* text = NULL;
  size_t texts = 0, bytes = 0;
  int32_t is_cut = -1;
  uint64_t id;
  CHECK(tandem_cdr_sink_create_sqlite(folder_path("columns"), &sink) == TANDEM_OK);
  for (id = 1; id <= 3; ++id) {
    cdr.record_id = id;
    cdr.ended_at_us = 1700000000000000 + (int64_t)id;
    CHECK(tandem_cdr_sink_write(sink, &cdr) == TANDEM_OK);
  }
  CHECK(tandem_cdr_sink_flush(sink) == TANDEM_OK);
  tandem_cdr_sink_destroy(sink);

  CHECK(tandem_cdr_store_columns(folder_path("columns"), NULL, NULL, NULL, names, 3, &columns) ==
        TANDEM_OK);
  CHECK(tandem_cdr_columns_rows(columns) == 3);
  CHECK(tandem_cdr_columns_integers(columns, "record_id", &ids) == TANDEM_OK);
  CHECK(ids != NULL && ids[0] == 1 && ids[2] == 3); /* oldest first */
  CHECK(tandem_cdr_columns_nulls(columns, "record_id", &nulls) == TANDEM_OK && nulls == NULL);
  CHECK(tandem_cdr_columns_codes(columns, "end_reason", &codes, &texts) == TANDEM_OK);
  CHECK(texts == 1 && codes != NULL && codes[0] == 0 && codes[2] == 0);
  CHECK(tandem_cdr_columns_text(columns, "end_reason", 0, &text, &bytes) == TANDEM_OK);
  CHECK(text != NULL && bytes == strlen(text) && bytes > 0);
  CHECK(tandem_cdr_columns_text(columns, "end_reason", 1, &text, NULL) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_cdr_columns_integers(columns, "end_reason", &ids) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_cdr_columns_codes(columns, "caller", &codes, &texts) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_cdr_columns_nulls(columns, "caller", &nulls) == TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_cdr_columns_integers(columns, NULL, &ids) == TANDEM_ERR_INVALID_ARGUMENT);
  tandem_cdr_columns_destroy(columns);
  tandem_cdr_columns_destroy(NULL);
  CHECK(tandem_cdr_columns_rows(NULL) == 0);
  CHECK_ERROR(
      tandem_cdr_store_columns(folder_path("columns"), NULL, NULL, NULL, unknown, 1, &columns),
      TANDEM_ERR_INVALID_ARGUMENT, "colour");
  query.limit = 1;
  CHECK_ERROR(
      tandem_cdr_store_columns(folder_path("columns"), NULL, &query, NULL, names, 3, &columns),
      TANDEM_ERR_INVALID_ARGUMENT, "limit");
  guards.rows_max = 2;
  CHECK(tandem_cdr_store_columns(folder_path("columns"), NULL, NULL, &guards, names, 3, &columns) ==
        TANDEM_ERR_LIMIT);

  CHECK(tandem_cdr_store_sql(folder_path("columns"), NULL,
                             "SELECT record_id AS id FROM cdrs ORDER BY ended_at_us DESC", NULL, 2,
                             NULL, &answer, &is_cut) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(answer), "{\"id\":3}\n{\"id\":2}\n");
  CHECK(is_cut == 1);
  tandem_text_destroy(answer);
  CHECK(tandem_cdr_store_sql(folder_path("columns"), NULL, "SELECT count(*) FROM cdrs", NULL, 0,
                             "csv", &answer, NULL) == TANDEM_OK);
  CHECK_TEXT(tandem_text_data(answer), "count(*)\r\n3\r\n");
  tandem_text_destroy(answer);
  CHECK_ERROR(tandem_cdr_store_sql(folder_path("columns"), NULL, "DELETE FROM cdrs", NULL, 0, NULL,
                                   &answer, NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "refused");
  CHECK(tandem_cdr_store_sql(folder_path("columns"), NULL, "SELECT 1", NULL, 0, "xml", &answer,
                             NULL) == TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_cdr_module_register(NULL, NULL) == TANDEM_ERR_INVALID_ARGUMENT);
}

static void the_relay_gives_ports(void) {
  tandem_media_config config = TANDEM_MEDIA_CONFIG_INIT;
  tandem_media_relay_stats stats = TANDEM_MEDIA_RELAY_STATS_INIT;
  tandem_media_side_stats side = TANDEM_MEDIA_SIDE_STATS_INIT;
  tandem_media_relay* relay = NULL;
  tandem_media_session* session = NULL;
  tandem_address rtp, rtcp;
  int64_t at_us = -1;
  uint64_t lost = 0;
  config.address = "::1";
  CHECK_ERROR(tandem_media_relay_create(&config, &relay), TANDEM_ERR_INVALID_ARGUMENT, "::1");
  config.address = "127.0.0.1";
  config.ready_pairs = 4;
  config.nice = 2;
  CHECK_ERROR(tandem_media_relay_create(&config, &relay), TANDEM_ERR_INVALID_ARGUMENT, "nice 2");
  config.nice = 1;
  CHECK(tandem_media_relay_create(&config, &relay) == TANDEM_OK);
  CHECK_ERROR(tandem_media_session_open(relay, 5, TANDEM_IPV4, &session),
              TANDEM_ERR_INVALID_ARGUMENT, "family 5");
  CHECK(tandem_media_session_open(relay, TANDEM_IPV6, TANDEM_IPV4, &session) ==
        TANDEM_ERR_UNSUPPORTED);
  CHECK(tandem_media_session_open(relay, TANDEM_IPV4, TANDEM_IPV4, &session) == TANDEM_OK);
  CHECK(tandem_media_session_local(session, TANDEM_SIDE_CALLER, &rtp, &rtcp) == TANDEM_OK);
  CHECK_TEXT(rtp.ip, "127.0.0.1");
  CHECK(rtp.port % 2 == 0 && rtcp.port == rtp.port + 1);
  CHECK(tandem_media_session_set_remote(session, TANDEM_SIDE_CALLER, "127.0.0.1:40000", NULL) ==
        TANDEM_OK);
  CHECK(tandem_media_session_set_remote(session, 2, "127.0.0.1:40000", NULL) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_media_session_set_remote(session, TANDEM_SIDE_CALLER, "[::1]:40000", NULL) ==
        TANDEM_ERR_INVALID_ARGUMENT);
  CHECK(tandem_media_session_set_flags(session, TANDEM_SIDE_CALLEE, TANDEM_MEDIA_DISCARD) ==
        TANDEM_OK);
  CHECK(tandem_media_session_set_flags(session, TANDEM_SIDE_CALLEE, 64) == TANDEM_ERR_UNSUPPORTED);
  CHECK(tandem_media_session_stats(session, TANDEM_SIDE_CALLER, &side) == TANDEM_OK);
  CHECK(side.packets_received == 0 && side.remote.ip[0] == '\0');
  CHECK(tandem_media_session_last_rtp(session, TANDEM_SIDE_CALLER, &at_us) == TANDEM_OK);
  CHECK(at_us == 0);
  CHECK(tandem_media_session_reported_lost(session, TANDEM_SIDE_CALLER, &lost) ==
        TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_media_relay_read_stats(relay, &stats) == TANDEM_OK);
  CHECK(stats.sessions == 1);
  tandem_media_relay_destroy(relay); /* the session may outlive it */
  tandem_media_session_destroy(session);
}

static void handshakes_are_asked_for(tandem_media_relay* relay, tandem_media_session* session) {
  tandem_media_handshake handshake = TANDEM_MEDIA_HANDSHAKE_INIT;
  tandem_text* own = NULL;
  int32_t state = -1;
  CHECK_TEXT(tandem_media_handshake_state_name(TANDEM_HANDSHAKE_UNCHECKED), "unchecked");
  CHECK_TEXT(tandem_media_handshake_state_name(99), "");
  CHECK(tandem_media_relay_dtls_fingerprint(relay, &own) == TANDEM_OK);
  CHECK(strlen(tandem_text_data(own)) == 8 + 95);
  handshake.role = TANDEM_DTLS_SERVER;
  handshake.fingerprints = tandem_text_data(own);
  handshake.ice_ufrag = "abcd";
  handshake.ice_password = "0123456789012345678901";
  CHECK(tandem_media_session_set_handshake(session, TANDEM_SIDE_CALLEE, &handshake) == TANDEM_OK);
  CHECK(tandem_media_session_handshake(session, TANDEM_SIDE_CALLEE, &state) == TANDEM_OK);
  CHECK(state == TANDEM_HANDSHAKE_UNCHECKED);
  handshake.ice_password = "short";
  CHECK_ERROR(tandem_media_session_set_handshake(session, TANDEM_SIDE_CALLEE, &handshake),
              TANDEM_ERR_INVALID_ARGUMENT, "5 characters");
  handshake.fingerprints = "md5 00";
  CHECK_ERROR(tandem_media_session_set_handshake(session, TANDEM_SIDE_CALLEE, &handshake),
              TANDEM_ERR_UNSUPPORTED, "md5");
  CHECK(tandem_media_session_set_handshake(session, TANDEM_SIDE_CALLEE, NULL) == TANDEM_OK);
  CHECK(tandem_media_session_handshake(session, TANDEM_SIDE_CALLEE, &state) == TANDEM_OK);
  CHECK(state == TANDEM_HANDSHAKE_NONE);
  tandem_text_destroy(own);
}

/* What programs of then pass: their size, and behind it whatever lay there. */
static void programs_of_before_go_on(void) {
  static const size_t config_sizes[] = {56, sizeof(tandem_media_config)};
  static const size_t stats_sizes[] = {120, sizeof(tandem_media_relay_stats)};
  tandem_media_session* session = NULL;
  tandem_media_relay* relay = NULL;
  size_t i;
  for (i = 0; i < 2; ++i) {
    const tandem_media_config plain = TANDEM_MEDIA_CONFIG_INIT;
    union {
      tandem_media_config config;
      unsigned char bytes[256];
    } given;
    tandem_media_relay_destroy(relay);
    memset(given.bytes, 0xAA, sizeof given.bytes);
    memcpy(given.bytes, &plain, i == 0 ? 52 : sizeof plain); /* 52..55 was padding */
    given.config.struct_size = config_sizes[i];
    given.config.address = "127.0.0.1";
    given.config.ready_pairs = 4;
    given.config.nice = 1;
    if (i == 1) given.config.events_max = 16;
    CHECK(tandem_media_relay_create(&given.config, &relay) == TANDEM_OK);
    CHECK(tandem_media_session_open(relay, TANDEM_IPV4, TANDEM_IPV4, &session) == TANDEM_OK);
    /* The older size asked for no events, whatever its padding says. */
    CHECK(tandem_media_session_set_watch(session, TANDEM_SIDE_CALLER, 100, 0, 0) ==
          (i == 0 ? TANDEM_ERR_WRONG_STATE : TANDEM_OK));
    tandem_media_session_destroy(session);
  }
  CHECK(tandem_media_session_open(relay, TANDEM_IPV4, TANDEM_IPV4, &session) == TANDEM_OK);
  for (i = 0; i < 2; ++i) {
    union {
      tandem_media_relay_stats stats;
      unsigned char bytes[512];
    } out;
    memset(out.bytes, 0xAA, sizeof out.bytes);
    out.stats.struct_size = stats_sizes[i];
    CHECK(tandem_media_relay_read_stats(relay, &out.stats) == TANDEM_OK);
    CHECK(out.stats.sessions == 1 && out.stats.packets_overflowed == 0);
    CHECK(out.bytes[stats_sizes[i]] == 0xAA);
  }
  {
    union {
      tandem_media_side_stats stats;
      unsigned char bytes[512];
    } out;
    memset(out.bytes, 0xAA, sizeof out.bytes);
    out.stats.struct_size = 104;
    CHECK(tandem_media_session_stats(session, TANDEM_SIDE_CALLER, &out.stats) == TANDEM_OK);
    CHECK(out.stats.packets_refused == 0 && out.bytes[out.stats.struct_size] == 0xAA);
  }
  tandem_media_session_destroy(session);
  tandem_media_relay_destroy(relay);
}

static void heard(const tandem_media_event* event, void* user) {
  CHECK(event->struct_size == sizeof(tandem_media_event));
  CHECK(event->tag == 7 && event->side == TANDEM_SIDE_CALLER);
  CHECK(event->kind == TANDEM_MEDIA_EVENT_SILENCE_BEGAN);
  CHECK(event->silence_ms >= 100);
  ++*(int*)user;
}

static void the_relay_tells_what_it_sees(void) {
  static const uint8_t types[] = {0, 8, 101};
  static const uint8_t too_large[] = {128};
  static const char* const networks[] = {"192.0.2.0/24", "2001:db8::/32"};
  static const char* const no_network[] = {"192.0.2.0/99"};
  tandem_media_config config = TANDEM_MEDIA_CONFIG_INIT;
  tandem_media_side_stats side = TANDEM_MEDIA_SIDE_STATS_INIT;
  tandem_recorder_config recording = TANDEM_RECORDER_CONFIG_INIT;
  tandem_media_relay* relay = NULL;
  tandem_media_session* session = NULL;
  tandem_media_tap* tap = NULL;
  tandem_media_recorder* recorder = NULL;
  tandem_media_recording* one = NULL;
  tandem_text* file = NULL;
  char packet[2048] = {0};
  size_t size = 0;
  int32_t is_running = -1, is_usable = -1;
  tandem_text* detail = NULL;
  tandem_media_session* adopted = NULL;
  int32_t is_over = -1;
  int events = 0;
  config.address = "127.0.0.1";
  config.ready_pairs = 4;
  config.nice = 1;
  CHECK(tandem_media_relay_create(&config, &relay) == TANDEM_OK);
  CHECK(tandem_media_session_open(relay, TANDEM_IPV4, TANDEM_IPV4, &session) == TANDEM_OK);
  CHECK_ERROR(tandem_media_session_set_watch(session, TANDEM_SIDE_CALLER, 100, 0, 0),
              TANDEM_ERR_WRONG_STATE, "no events");
  CHECK_TEXT(tandem_media_backend_name(TANDEM_MEDIA_BACKEND_KERNEL), "kernel");
  CHECK_TEXT(tandem_media_backend_name(4), "");
  CHECK(tandem_media_relay_backend(relay, TANDEM_MEDIA_BACKEND_PORTABLE, &is_running, NULL,
                                   &detail) == TANDEM_OK);
  CHECK(is_running == 1);
  CHECK_TEXT(tandem_text_data(detail), "epoll, 1 thread");
  tandem_text_destroy(detail);
  CHECK(tandem_media_relay_backend(relay, TANDEM_MEDIA_BACKEND_KERNEL, &is_running, &is_usable,
                                   NULL) == TANDEM_OK);
  CHECK(is_running == 0 && is_usable == 0);
  CHECK_ERROR(tandem_media_relay_backend(relay, TANDEM_MEDIA_BACKEND_AUTO, NULL, NULL, NULL),
              TANDEM_ERR_INVALID_ARGUMENT, "backend 0");
  CHECK_ERROR(tandem_media_relay_adopt(relay, "127.0.0.1:10000", "127.0.0.1:10002", &adopted),
              TANDEM_ERR_NOT_FOUND, "127.0.0.1:10002");
  tandem_media_session_destroy(session);
  tandem_media_relay_destroy(relay);
  config.events_max = 16;
  config.event_kinds = 1u << (TANDEM_MEDIA_EVENT_HANDSHAKE_ENDED + 1);
  CHECK_ERROR(tandem_media_relay_create(&config, &relay), TANDEM_ERR_INVALID_ARGUMENT,
              "event_kinds 512");
  config.event_kinds = 1u << TANDEM_MEDIA_EVENT_SILENCE_BEGAN;
  config.files_reserved = 100;
  CHECK(tandem_media_relay_create(&config, &relay) == TANDEM_OK);
  CHECK(tandem_media_session_open(relay, TANDEM_IPV4, TANDEM_IPV4, &session) == TANDEM_OK);
  CHECK(tandem_media_session_set_tag(session, 7) == TANDEM_OK);
  CHECK(tandem_media_session_set_policy(session, TANDEM_SIDE_CALLEE, TANDEM_MEDIA_BLOCK) ==
        TANDEM_OK);
  CHECK_ERROR(tandem_media_session_set_policy(session, TANDEM_SIDE_CALLEE, 2),
              TANDEM_ERR_INVALID_ARGUMENT, "policy 2");
  CHECK(tandem_media_session_set_payloads(session, TANDEM_SIDE_CALLER, types, 3, types + 2, 1) ==
        TANDEM_OK);
  CHECK(tandem_media_session_set_event_clock_rate(session, TANDEM_SIDE_CALLER, 101, 8000) ==
        TANDEM_OK);
  CHECK_ERROR(tandem_media_session_set_event_clock_rate(session, TANDEM_SIDE_CALLER, 128, 8000),
              TANDEM_ERR_INVALID_ARGUMENT, "128");
  CHECK_ERROR(tandem_media_session_set_payloads(session, TANDEM_SIDE_CALLER, too_large, 1, NULL, 0),
              TANDEM_ERR_INVALID_ARGUMENT, "128");
  CHECK(tandem_media_session_set_sources(session, TANDEM_SIDE_CALLER, networks, 2, NULL, 0) ==
        TANDEM_OK);
  CHECK_ERROR(tandem_media_session_set_sources(session, TANDEM_SIDE_CALLER, NULL, 0, no_network, 1),
              TANDEM_ERR_INVALID_ARGUMENT, "99");
  CHECK(tandem_srtp_key_bytes(TANDEM_SRTP_AES_CM_128_HMAC_SHA1_80) == 30);
  CHECK(tandem_srtp_key_bytes(-1) == 0);
  CHECK_TEXT(tandem_srtp_suite_name(TANDEM_SRTP_AEAD_AES_256_GCM), "AEAD_AES_256_GCM");
  CHECK_TEXT(tandem_srtp_suite_name(99), "");
  CHECK(tandem_media_session_set_crypto(session, TANDEM_SIDE_CALLEE,
                                        TANDEM_SRTP_AES_CM_128_HMAC_SHA1_80, packet, 30,
                                        TANDEM_SRTP_AEAD_AES_128_GCM, packet, 28) == TANDEM_OK);
  CHECK_ERROR(tandem_media_session_set_crypto(session, TANDEM_SIDE_CALLEE,
                                              TANDEM_SRTP_AES_CM_128_HMAC_SHA1_80, packet, 29,
                                              TANDEM_SRTP_AEAD_AES_128_GCM, packet, 28),
              TANDEM_ERR_INVALID_ARGUMENT, "29");
  CHECK_ERROR(tandem_media_session_set_crypto(session, TANDEM_SIDE_CALLEE, 99, packet, 30,
                                              TANDEM_SRTP_NONE, NULL, 0),
              TANDEM_ERR_INVALID_ARGUMENT, "99");
  CHECK_ERROR(
      tandem_media_session_set_crypto(session, TANDEM_SIDE_CALLEE,
                                      TANDEM_SRTP_AES_CM_128_HMAC_SHA1_80, NULL, 30, 0, NULL, 0),
      TANDEM_ERR_INVALID_ARGUMENT, "NULL");
  CHECK(tandem_media_session_set_crypto(session, TANDEM_SIDE_CALLEE, TANDEM_SRTP_NONE, NULL, 0,
                                        TANDEM_SRTP_NONE, NULL, 0) == TANDEM_OK);
  handshakes_are_asked_for(relay, session);
  CHECK_ERROR(tandem_media_session_set_watch(session, TANDEM_SIDE_CALLER, 99, 0, 0),
              TANDEM_ERR_INVALID_ARGUMENT, "99");
  CHECK(tandem_media_session_set_watch(session, TANDEM_SIDE_CALLER, 100, 0, 0) == TANDEM_OK);
  CHECK(tandem_media_relay_take_events(relay, 16, 5000000, heard, &events) == TANDEM_OK);
  CHECK(events == 1);
  CHECK(tandem_media_session_stats(session, TANDEM_SIDE_CALLER, &side) == TANDEM_OK);
  CHECK_TEXT(tandem_media_cause_name(side.cause), "not_described");
  CHECK_TEXT(tandem_media_cause_name(99), "");

  CHECK(tandem_media_tap_create(session, 0, &tap) == TANDEM_OK);
  CHECK(tandem_media_tap_take(tap, NULL, NULL, packet, sizeof packet, &size) ==
        TANDEM_ERR_NOT_FOUND);
  CHECK(tandem_media_tap_dropped(tap) == 0);
  tandem_media_tap_destroy(tap);

  CHECK_ERROR(tandem_media_recorder_create(&recording, &recorder), TANDEM_ERR_INVALID_ARGUMENT,
              "folder");
  recording.folder = folder_path("recordings");
  recording.free_bytes_min = -1;
  CHECK(tandem_media_recorder_create(&recording, &recorder) == TANDEM_OK);
  CHECK_ERROR(tandem_media_recorder_record(recorder, session, "../up", &one),
              TANDEM_ERR_INVALID_ARGUMENT, "dot");
  CHECK(tandem_media_recorder_record(recorder, session, "one", &one) == TANDEM_OK);
  CHECK(tandem_media_recorder_record(recorder, session, "two", NULL) == TANDEM_ERR_ALREADY_EXISTS);
  CHECK(tandem_media_recording_set_payload(one, TANDEM_SIDE_CALLER, 96, "PCMA", 8000) == TANDEM_OK);
  CHECK(tandem_media_recording_set_payload(one, TANDEM_SIDE_CALLER, 97, NULL, 0) == TANDEM_OK);
  CHECK_ERROR(tandem_media_recording_set_payload(one, TANDEM_SIDE_CALLER, 96, "none", 0),
              TANDEM_ERR_NOT_FOUND, "none");
  CHECK_ERROR(tandem_media_recording_set_payload(one, TANDEM_SIDE_CALLER, 128, "PCMA", 0),
              TANDEM_ERR_INVALID_ARGUMENT, "128");
  CHECK(tandem_media_recording_stop(one) == TANDEM_OK);
  tandem_media_recorder_destroy(recorder);
  CHECK(tandem_media_recording_file(one, &is_over, &file) == TANDEM_OK);
  CHECK(is_over == 1);
  CHECK_TEXT(tandem_text_data(file), ""); /* nobody said anything */
  tandem_text_destroy(file);
  tandem_media_recording_destroy(one);
  CHECK(tandem_repair_recording("/nonexistent/file.wav", NULL) == TANDEM_ERR_NOT_FOUND);
  tandem_media_session_destroy(session);
  tandem_media_relay_destroy(relay);
}

int main(void) {
  folder_make();
  records_become_text();
  user_is_freed_once_whatever_happens();
  a_host_sink_gets_every_record_even_after_a_refusal();
  built_in_sinks_work_alone();
  a_record_that_is_refused_for_good_is_set_aside();
  files_of_an_interval_are_written();
  sinks_on_other_machines_are_made_or_refused();
  stored_records_are_read_one_by_one_and_reported();
  records_are_columns_and_answer_sql();
  the_relay_gives_ports();
  programs_of_before_go_on();
  the_relay_tells_what_it_sees();
  folder_empty(folder);
  return check_result();
}
