// Questions to the records of a configuration.
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/time_zone.hpp"
#include "rating/deck_levels.hpp"
#include "switch/past_records.hpp"
#include "switch/provisioning.hpp"
#include "tandem/cdr_slots.hpp"
#include "tandem/switch.hpp"

namespace tandem {
namespace {

/// Levels of the configured decks' rates.
class RateLevels {
 public:
  static Result<RateLevels> of(const SwitchConfig& config) {
    RateLevels levels;
    for (const RateDeckConfig& deck : config.provision.rate_decks) {
      auto built = build_deck(deck);
      if (!built) return std::move(built).error();
      levels.decks_.emplace(deck.id, std::move(*built));
    }
    return levels;
  }
  /// As level_of_rate() has it; none: there is no such deck any more.
  [[nodiscard]] CallLevel at(std::string_view id, std::string_view prefix,
                             std::int64_t at_us) const {
    const auto found = decks_.find(id);
    if (found == decks_.end()) return CallLevel::none;
    return rating::level_of_rate(found->second, prefix, at_us);
  }

 private:
  std::map<std::string, RateDeck, std::less<>> decks_;
};

}  // namespace

Result<CdrPlace> cdr_place(const SwitchConfig& config) {
  const auto folder_of = [&config](std::string_view type) {
    for (const CdrSinkConfig& sink : config.cdr_sinks) {
      if (sink.type == type) return config.path(sink.path);
    }
    return std::string();
  };
  const std::string folder = folder_of("sqlite");
  if (!folder.empty()) {
    CdrPlace place(folder, config.database.empty() ? std::string() : config.path(config.database));
    place.slots = folder_of("slots");
    return place;
  }
  return Error{ErrorCode::unsupported, "configuration has no sqlite sink to ask"};
}

Result<RecordPlace> record_place(const SwitchConfig& config) {
  const Parameters& parameters = config.parameters;
  if (parameters.query_denied_hours != 0) {
    auto zone = TimeZone::load(parameters.timezone);
    if (!zone) return std::move(zone).error();
    const std::int32_t hour = zone->local(SystemClock().wall_us()).second / 3'600;
    if ((parameters.query_denied_hours >> hour & 1U) != 0) {
      return Error{ErrorCode::wrong_state, "questions to the records were refused at hour " +
                                               std::to_string(hour) + " (query_denied_hours)"};
    }
  }
  auto place = cdr_place(config);
  if (!place) return std::move(place).error();
  return RecordPlace{std::move(*place), parameters.query_guards};
}

Result<std::vector<Cdr>> query_cdrs(const SwitchConfig& config, const CdrQuery& query) {
  const auto records = record_place(config);
  if (!records) return records.error();
  return CdrStore(records->place, records->guards).query(query);
}

Result<CdrCursor> cdr_cursor(const SwitchConfig& config, const CdrFilter& filter,
                             std::optional<std::uint64_t> before_record_id) {
  const auto records = record_place(config);
  if (!records) return records.error();
  return CdrStore(records->place, records->guards).cursor(filter, before_record_id);
}

Result<CdrSqlAnswer> cdr_sql(const SwitchConfig& config, std::string_view sql,
                             std::size_t rows_max) {
  const auto records = record_place(config);
  if (!records) return records.error();
  CdrSqlLimits limits;
  limits.guards = records->guards;
  limits.rows_max = rows_max;
  return cdr_sql(records->place, sql, limits);
}

Result<CdrColumns> cdr_columns(const SwitchConfig& config, const CdrColumnsRequest& request) {
  const auto records = record_place(config);
  if (!records) return records.error();
  return CdrColumns::read(records->place, request, records->guards);
}

Result<CallReport> call_report(const SwitchConfig& config, const CallReportRequest& asked) {
  const auto records = record_place(config);
  if (!records) return records.error();
  CallReportRequest request = asked;
  if (request.timezone.empty()) request.timezone = config.parameters.timezone;
  const bool needs_levels = request.kind == CallReportKind::account_statement ||
                            request.kind == CallReportKind::phone_statement ||
                            request.kind == CallReportKind::area_statement;
  if (!needs_levels) return call_report(records->place, request, records->guards);
  const auto levels = RateLevels::of(config);
  if (!levels) return levels.error();
  return call_report(records->place, request, records->guards, nullptr,
                     [&levels](std::string_view deck, std::string_view prefix, std::int64_t at_us) {
                       return levels->at(deck, prefix, at_us);
                     });
}

Result<std::uint64_t> rebuild_cdr_slots(const SwitchConfig& config) {
  const auto place = cdr_place(config);
  if (!place) return place.error();
  if (place->slots.empty())
    return Error{ErrorCode::unsupported, "configuration has no sink of type \"slots\""};
  return rebuild_cdr_slots(*place, config.parameters.timezone);
}

}  // namespace tandem
