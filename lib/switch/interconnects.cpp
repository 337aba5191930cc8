// What calls over an interconnect came to, of a configuration and of a running switch (B-27).
#include <utility>

#include "base/text.hpp"
#include "cdr/interconnect_sqlite.hpp"
#include "switch/body.hpp"
#include "switch/past_records.hpp"

namespace tandem {
namespace {

Result<std::string> folder_of(const SwitchConfig& config) {
  for (const CdrSinkConfig& sink : config.cdr_sinks)
    if (sink.type == "sqlite") return config.path(sink.path);
  return Error{ErrorCode::unsupported, "configuration has no sqlite sink to ask"};
}

/// `count(folder, query, corrected)` by the files of a configuration.
template <class Count>
auto count_stored(const SwitchConfig& config, const InterconnectQuery& query, Count count)
    -> decltype(count(std::string(), query, std::vector<cdr::SideDifference>())) {
  auto folder = folder_of(config);
  if (!folder) return std::move(folder).error();
  auto corrections = cdr::open_corrections(config.path(config.database));
  if (!corrections) return std::move(corrections).error();
  std::vector<cdr::SideDifference> corrected;
  if (*corrections) {
    auto found = cdr::corrected_sides(**corrections, query.since_us, query.until_us);
    if (!found) return std::move(found).error();
    corrected = std::move(*found);
  }
  return count(*folder, query, corrected);
}

}  // namespace

Result<InterconnectTotals> interconnect_totals(const SwitchConfig& config,
                                               const InterconnectQuery& query) {
  return count_stored(config, query, cdr::interconnect_totals);
}

Result<std::vector<InterconnectCall>> interconnect_calls(const SwitchConfig& config,
                                                         const InterconnectQuery& query) {
  return count_stored(config, query, cdr::interconnect_calls);
}

Result<ReconcileReport> reconcile(const SwitchConfig& config, const InterconnectQuery& query,
                                  std::string_view csv, const PartnerLayout& layout,
                                  ReconcileRules rules) {
  auto ours = interconnect_calls(config, query);
  if (!ours) return std::move(ours).error();
  auto theirs = read_partner_calls(csv, layout);
  if (!theirs) return std::move(theirs).error();
  rules.compares_callers = !layout.caller.empty();
  rules.compares_charges = !layout.charge.empty();
  return reconcile(std::move(*ours), std::move(*theirs), rules);
}

Result<InterconnectTotals> Switch::Body::interconnect_totals(const InterconnectQuery& query) const {
  auto place = cdr_place(records_config());
  if (!place) return std::move(place).error();
  auto corrected = ledger_->corrected_sides(query.since_us, query.until_us);
  if (!corrected) return std::move(corrected).error();
  return cdr::interconnect_totals(place->folder, query, *corrected);
}

Result<std::vector<InterconnectCall>> Switch::Body::interconnect_calls(
    const InterconnectQuery& query) const {
  auto place = cdr_place(records_config());
  if (!place) return std::move(place).error();
  auto corrected = ledger_->corrected_sides(query.since_us, query.until_us);
  if (!corrected) return std::move(corrected).error();
  return cdr::interconnect_calls(place->folder, query, *corrected);
}

bool Switch::Body::is_reconciliation_token(std::string_view gateway, std::string_view token) const {
  const std::lock_guard lock(config_mutex_);
  for (const CustomerGateway& customer : config_.provision.customer_gateways) {
    if (customer.id == gateway)
      return !token.empty() && same_secret(token, customer.reconciliation_token);
  }
  return false;
}

std::vector<PeerCheck> Switch::Body::peer_checks() const {
  const std::lock_guard lock(reconciler_mutex_);
  return reconciler_ == nullptr ? std::vector<PeerCheck>() : reconciler_->checks();
}

}  // namespace tandem
