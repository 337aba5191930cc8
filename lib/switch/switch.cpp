// The public class.
#include "switch/body.hpp"

namespace tandem {

Result<std::unique_ptr<Switch>> SwitchAccess::create(const SwitchConfig& config, SwitchHooks hooks,
                                                     Environment environment) {
  auto body = Switch::Body::create(config, std::move(hooks), std::move(environment));
  if (!body) return body.error();
  return std::unique_ptr<Switch>(new Switch(std::move(*body)));
}

Result<std::unique_ptr<Switch>> Switch::create(const SwitchConfig& config, SwitchHooks hooks) {
  return SwitchAccess::create(config, std::move(hooks),
                              {io::make_system_network(), std::nullopt, nullptr});
}

Switch::Switch(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Switch::~Switch() = default;
Result<void> Switch::start() { return body_->start(); }
void Switch::drain() { body_->drain(); }
std::size_t Switch::live_calls() const { return body_->live_calls(); }
Result<void> Switch::wait_idle(std::int64_t timeout_us) { return body_->wait_idle(timeout_us); }
void Switch::close() { body_->close(); }
Result<std::vector<std::string>> Switch::reload(const SwitchConfig& config) {
  return body_->reload(config);
}
Provisioning& Switch::provisioning() { return body_->provisioning(); }
Result<EventFeed> Switch::watch(std::size_t queue_events) { return body_->watch(queue_events); }
std::vector<CallView> Switch::calls() const { return body_->calls(); }
Result<void> Switch::disconnect(std::uint64_t id) { return body_->disconnect(id); }
Result<void> Switch::record(std::uint64_t id, bool on) { return body_->record(id, on); }
Result<void> Switch::order(std::uint64_t id, const ServiceOrder& what) {
  return body_->order(id, what);
}
Result<void> Switch::answer_call(std::uint64_t id) { return order(id, AnswerOrder{}); }
Result<void> Switch::play(std::uint64_t id, const PlayOrder& what) { return order(id, what); }
Result<void> Switch::stop(std::uint64_t id) { return order(id, StopOrder{}); }
Result<void> Switch::collect(std::uint64_t id, const CollectOrder& what) { return order(id, what); }
Result<void> Switch::bridge(std::uint64_t id, const BridgeOrder& what) { return order(id, what); }
Result<void> Switch::hang_up(std::uint64_t id, int q850_cause) {
  return order(id, HangUpOrder{q850_cause});
}
void Switch::answer(std::uint64_t token, const PolicyAnswer& answer) {
  body_->answer(token, answer);
}
void Switch::answer_lrn(std::uint64_t token, const LrnAnswer& answer) {
  body_->answer_lrn(token, answer);
}
std::vector<AccountState> Switch::accounts() const { return body_->accounts(); }
std::optional<AccountState> Switch::account(std::string_view id) const {
  return body_->account(id);
}
Result<Amount> Switch::pay(std::string_view account, Amount amount, std::string_view memo) {
  const auto kind = amount.is_negative() ? LedgerKind::deduction : LedgerKind::payment;
  const auto answer =
      body_->book({std::string(account), amount, kind, std::string(memo), {}, {}, false});
  if (!answer) return answer.error();
  return answer->balance;
}
Result<BookingAnswer> Switch::book(const Booking& booking) { return body_->book(booking); }
Result<std::vector<LedgerEntry>> Switch::ledger(const LedgerQuery& query) const {
  return body_->ledger(query);
}
Result<LedgerCheck> Switch::check_ledger() const { return body_->check_ledger(); }
Result<std::vector<MarginRow>> Switch::margin_report(const std::string& sell,
                                                     const std::vector<std::string>& buys,
                                                     std::optional<std::int64_t> at_us) const {
  return tandem::margin_report(body_->config_in_force(), sell, buys,
                               at_us.value_or(body_->wall_us()));
}
Result<Rerater> Switch::rerate_history(const RerateQuery& query) const {
  return body_->rerate_history(query);
}
Result<ExternalAnswer> Switch::record_call(const ExternalCall& call) {
  return body_->record_call(call);
}
Result<InterconnectTotals> Switch::interconnect_totals(const InterconnectQuery& query) const {
  return body_->interconnect_totals(query);
}
Result<std::vector<InterconnectCall>> Switch::interconnect_calls(
    const InterconnectQuery& query) const {
  return body_->interconnect_calls(query);
}
std::vector<PeerCheck> Switch::peer_checks() const { return body_->peer_checks(); }
bool Switch::is_reconciliation_token(std::string_view gateway, std::string_view token) const {
  return body_->is_reconciliation_token(gateway, token);
}
Result<Correction> Switch::correct(const CorrectionRequest& request) {
  return body_->correct(request);
}
Result<std::vector<Correction>> Switch::corrections(const CorrectionQuery& query) const {
  return body_->corrections(query);
}
Result<AppliedRerate> Switch::apply_rerate(const RerateQuery& query,
                                           const RerateApplication& application) {
  return body_->apply_rerate(query, application);
}
Result<std::uint64_t> Switch::start_rerate(const RerateQuery& query,
                                           const RerateApplication& application) {
  return body_->start_rerate(query, application);
}
Result<RerateJob> Switch::rerate_job(std::uint64_t id) const { return body_->rerate_job(id); }
Result<void> Switch::cancel_rerate(std::uint64_t id) { return body_->cancel_rerate(id); }
Result<std::vector<PackagePeriod>> Switch::packages(std::string_view account) const {
  return body_->packages(account);
}
Result<std::vector<PackagePeriod>> Switch::phone_packages(std::string_view number) const {
  return body_->phone_packages(number);
}
WebhookState Switch::phone_notices() const { return body_->phone_notices(); }
Result<std::size_t> Switch::notify_phones() { return body_->notify_phones(); }
std::vector<GatewayView> Switch::gateways() const { return body_->gateways(); }
std::vector<PhoneView> Switch::phones() const { return body_->phones(); }
std::optional<PhoneView> Switch::phone(std::string_view number) const {
  return body_->phone(number);
}
std::vector<SuspensionView> Switch::suspensions() const { return body_->suspensions(); }
Result<void> Switch::lift_suspension(std::string_view user, std::string_view address) {
  return body_->lift_suspension(user, address);
}
SwitchCounters Switch::counters() const { return body_->counters(); }
Result<std::vector<Cdr>> Switch::cdrs(const CdrQuery& query) const { return body_->cdrs(query); }
Result<CdrCursor> Switch::cdr_cursor(const CdrFilter& filter,
                                     std::optional<std::uint64_t> before_record_id) const {
  return tandem::cdr_cursor(body_->records_config(), filter, before_record_id);
}
Result<CallReport> Switch::call_report(const CallReportRequest& request) const {
  SwitchConfig config = body_->config_in_force();
  config.database = body_->records_config().database;
  return tandem::call_report(config, request);
}
Result<std::string> Switch::explain(const ExplainRequest& request) const {
  return body_->explain(request);
}
Result<void> Switch::start_shadow(std::string_view plan) { return body_->start_shadow(plan); }
Result<std::string> Switch::shadow_report() const { return body_->shadow_report(); }
Result<std::string> Switch::stop_shadow() { return body_->stop_shadow(); }
MaintenanceState Switch::maintenance() const { return body_->maintenance(); }
Result<void> Switch::start_maintenance(MaintenanceAct act, std::string_view day) {
  return body_->start_maintenance(act, day);
}
Result<std::vector<StoredDay>> Switch::stored_days() const {
  return tandem::stored_days(body_->records_config());
}
Result<std::vector<MaintenanceNote>> Switch::maintenance_notes(
    const MaintenanceNoteQuery& query) const {
  return body_->maintenance_notes(query);
}
Result<Dispute> Switch::dispute_record(const DisputeRequest& request) {
  return body_->dispute(request, false);
}
Result<Dispute> Switch::resolve_dispute(const DisputeRequest& request) {
  return body_->dispute(request, true);
}
Result<std::vector<Dispute>> Switch::disputes(const DisputeQuery& query) const {
  return body_->disputes(query);
}
std::vector<ListenConfig> Switch::listening() const { return body_->listening(); }

}  // namespace tandem
