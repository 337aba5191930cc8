// Disputed records (O-09), of a configuration and of a running switch.
#include "tandem/disputes.hpp"

#include <algorithm>

#include "switch/body.hpp"
#include "switch/past_records.hpp"
#include "tandem/config.hpp"

namespace tandem {
namespace {

/// Where a configuration keeps disputes, and its day files, if there are any.
CdrPlace dispute_place(const SwitchConfig& config) {
  const auto records = cdr_place(config);
  CdrPlace place(records ? records->folder : std::string());
  if (!config.database.empty()) place.database = config.path(config.database);
  return place;
}

}  // namespace

Result<Dispute> dispute_record(const SwitchConfig& config, const DisputeRequest& request) {
  return dispute_record(dispute_place(config), request);
}

Result<Dispute> resolve_dispute(const SwitchConfig& config, const DisputeRequest& request) {
  return resolve_dispute(dispute_place(config), request);
}

Result<std::vector<Dispute>> query_disputes(const SwitchConfig& config, const DisputeQuery& query) {
  return query_disputes(dispute_place(config), query);
}

/// The database of the configuration, whoever keeps the ledger.
SwitchConfig Switch::Body::retention_config() const {
  SwitchConfig config = records_config();
  const std::lock_guard lock(config_mutex_);
  config.database = config_.database;
  config.cdr_journal = config_.cdr_journal;
  return config;
}

/// The place up to which the ledger and all sinks have what is durable; nothing: they have it all.
std::optional<std::uint64_t> Switch::Body::lowest_position() const {
  std::optional<std::uint64_t> lowest;
  const auto look = [&lowest](const cdr::SinkRunner& runner) {
    const CdrSinkState state = runner.state();
    if (state.lag_records == 0) return;
    lowest = std::min(lowest.value_or(state.position), state.position);
  };
  look(*ledger_runner_);
  look(*package_runner_);
  for (const Sink& sink : sinks_)
    look(*sink.runner);
  return lowest;
}

Result<MaintenancePlace> Switch::Body::maintenance_place() const {
  auto place = tandem::maintenance_place(retention_config());
  if (!place) return place;
  // Files may be behind what is known here.
  place->retention.lowest_position = [this] { return lowest_position(); };
  place->journal_disk = environment_.disk;
  return place;
}

Result<Dispute> Switch::Body::dispute(const DisputeRequest& request, bool is_over) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  const CdrPlace place = dispute_place(retention_config());
  const Clock& clock = environment_.network->clock();
  auto made = is_over ? tandem::resolve_dispute(place, request, &clock)
                      : tandem::dispute_record(place, request, &clock);
  if (!made) return made;
  log_.write(LogLevel::info, "disputes", is_over ? "dispute resolved" : "record disputed",
             {{"record", std::to_string(made->record_id)},
              {"dispute", std::to_string(made->id)},
              {"author", request.author},
              {"reason", request.reason}});
  return made;
}

Result<std::vector<Dispute>> Switch::Body::disputes(const DisputeQuery& query) const {
  return query_disputes(dispute_place(retention_config()), query);
}

Result<std::vector<MaintenanceNote>> Switch::Body::maintenance_notes(
    const MaintenanceNoteQuery& query) const {
  return tandem::maintenance_notes(retention_config(), query);
}

}  // namespace tandem
