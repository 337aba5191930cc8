// Reports over decks and records, of a configuration and of a running switch.
#include "tandem/corrections.hpp"
#include "tandem/deck_reports.hpp"
#include "tandem/external_calls.hpp"
#include "tandem/reconciliation.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_rerate_query> =
    offsetof(tandem_rerate_query, includes_settled);

using namespace tandem;
using namespace tandem::capi;

namespace {

Result<RerateQuery> read_rerate_query(const tandem_rerate_query* given) {
  const auto read = read_struct(given, "tandem_rerate_query");
  if (!read) return read.error();
  RerateQuery query;
  query.deck = copy(read->deck);
  query.is_vendor = read->vendor_side != 0;
  query.account = copy(read->account);
  if (read->since_us != 0) query.since_us = read->since_us;
  if (read->until_us != 0) query.until_us = read->until_us;
  query.includes_settled = read->includes_settled != 0;
  return query;
}

/// Reads the query, asks and gives the answer.
template <class Ask>
int rerate(const tandem_rerate_query* query, tandem_text** json, Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(json);
  const auto read = read_rerate_query(query);
  TANDEM_CAPI_TRY(read);
  const auto rerater = ask(*read);
  TANDEM_CAPI_TRY(rerater);
  return give(to_json(*rerater), json);
}

template <class Ask>
int margin(const char* const* buys, size_t buys_count, int64_t at_us, tandem_text** json,
           Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(json);
  std::vector<std::string> ids;
  TANDEM_CAPI_TRY(read_texts(buys, buys_count, "buys", ids));
  const auto rows = ask(ids, at_us == 0 ? std::nullopt : std::optional(at_us));
  TANDEM_CAPI_TRY(rows);
  return give(to_json(*rows), json);
}

/// Reads the query, asks and gives the answer, a JSON object a line.
template <class Ask>
int corrections(const tandem_correction_query* query, tandem_text** json_lines, Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(json_lines);
  const auto read = read_struct(query, "tandem_correction_query");
  TANDEM_CAPI_TRY(read);
  CorrectionQuery wanted;
  wanted.record_id = read->record_id;
  wanted.account = copy(read->account);
  if (read->since_us != 0) wanted.since_us = read->since_us;
  if (read->until_us != 0) wanted.until_us = read->until_us;
  if (read->before != 0) wanted.before_id = read->before;
  if (read->limit != 0) wanted.limit = read->limit;
  const auto found = ask(wanted);
  TANDEM_CAPI_TRY(found);
  std::string lines;
  for (const Correction& correction : *found)
    lines += to_json(correction) + '\n';
  return give(lines, json_lines);
}

}  // namespace

extern "C" {

int tandem_config_rerate(const tandem_config* config, const tandem_rerate_query* query,
                         tandem_text** json) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return rerate(query, json,
                  [&](const RerateQuery& read) { return rerate_history(**usable, read); });
  });
}

int tandem_switch_rerate(const tandem_switch* object, const tandem_rerate_query* query,
                         tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return rerate(query, json,
                  [&](const RerateQuery& read) { return object->body->rerate_history(read); });
  });
}

int tandem_switch_apply_rerate(tandem_switch* object, const tandem_rerate_query* query,
                               const char* reason, const char* author, int32_t dry_run,
                               tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return rerate(query, json, [&](const RerateQuery& read) {
      return object->body->apply_rerate(read, {copy(reason), copy(author), dry_run != 0});
    });
  });
}

int tandem_switch_start_rerate(tandem_switch* object, const tandem_rerate_query* query,
                               const char* reason, const char* author, int32_t dry_run,
                               uint64_t* id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(id);
    const auto read = read_rerate_query(query);
    TANDEM_CAPI_TRY(read);
    const auto started =
        object->body->start_rerate(*read, {copy(reason), copy(author), dry_run != 0});
    TANDEM_CAPI_TRY(started);
    *id = *started;
    return TANDEM_OK;
  });
}

int tandem_switch_rerate_job(const tandem_switch* object, uint64_t id, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto job = object->body->rerate_job(id);
    TANDEM_CAPI_TRY(job);
    return give(to_json(*job), json);
  });
}

int tandem_switch_cancel_rerate(tandem_switch* object, uint64_t id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->cancel_rerate(id));
    return TANDEM_OK;
  });
}

int tandem_switch_correct(tandem_switch* object, const char* json, tandem_text** answer) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto request = parse_correction(view(json));
    TANDEM_CAPI_TRY(request);
    const auto corrected = object->body->correct(*request);
    TANDEM_CAPI_TRY(corrected);
    return answer == nullptr ? TANDEM_OK : give(to_json(*corrected), answer);
  });
}

int tandem_switch_corrections(const tandem_switch* object, const tandem_correction_query* query,
                              tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return corrections(query, json_lines, [&](const CorrectionQuery& read) {
      return object->body->corrections(read);
    });
  });
}

int tandem_config_query_corrections(const tandem_config* config,
                                    const tandem_correction_query* query,
                                    tandem_text** json_lines) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return corrections(query, json_lines, [&](const CorrectionQuery& read) {
      return query_corrections(**usable, read);
    });
  });
}

int tandem_switch_record_call(tandem_switch* object, const char* json, tandem_text** answer) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto call = parse_external_call(view(json));
    TANDEM_CAPI_TRY(call);
    const auto recorded = object->body->record_call(*call);
    TANDEM_CAPI_TRY(recorded);
    return answer == nullptr ? TANDEM_OK : give(to_json(*recorded), answer);
  });
}

int tandem_config_reconcile(const tandem_config* config, const tandem_reconcile_query* query,
                            tandem_text** json) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    TANDEM_CAPI_NOT_NULL(json);
    const auto read = read_struct(query, "tandem_reconcile_query");
    TANDEM_CAPI_TRY(read);
    const auto layout = parse_partner_layout(view(read->columns));
    TANDEM_CAPI_TRY(layout);
    ReconcileRules rules;
    rules.time_tolerance_s = read->time_tolerance_s;
    rules.clock_offset_s = read->clock_offset_s;
    rules.duration_tolerance_s = read->duration_tolerance_s;
    rules.charge_tolerance = Amount::from_units(read->charge_tolerance_units);
    rules.line_hundredths = read->line_hundredths;
    rules.rows_max = read->rows_max;
    const auto report = reconcile(
        **usable, {copy(read->gateway), read->customer_side == 0, read->since_us, read->until_us},
        view(read->csv), *layout, rules);
    TANDEM_CAPI_TRY(report);
    return give(to_json(*report), json);
  });
}

int tandem_switch_interconnect_totals(const tandem_switch* object, const char* gateway,
                                      int32_t customer_side, int64_t since_us, int64_t until_us,
                                      tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto totals =
        object->body->interconnect_totals({copy(gateway), customer_side == 0, since_us, until_us});
    TANDEM_CAPI_TRY(totals);
    return give(to_json(*totals), json);
  });
}

int tandem_switch_peer_checks(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->peer_checks()), json);
  });
}

int tandem_config_margin_report(const tandem_config* config, const char* sell,
                                const char* const* buys, size_t buys_count, int64_t at_us,
                                tandem_text** json) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return margin(buys, buys_count, at_us, json, [&](const auto& ids, auto at) {
      return margin_report(**usable, copy(sell), ids, at);
    });
  });
}

int tandem_switch_margin_report(const tandem_switch* object, const char* sell,
                                const char* const* buys, size_t buys_count, int64_t at_us,
                                tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return margin(buys, buys_count, at_us, json, [&](const auto& ids, auto at) {
      return object->body->margin_report(copy(sell), ids, at);
    });
  });
}

}  // extern "C"
