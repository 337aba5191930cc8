// Reports over decks and records, of a configuration and of a running switch.
#include "tandem/deck_reports.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

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
