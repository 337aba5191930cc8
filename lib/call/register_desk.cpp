#include "call/register_desk.hpp"

#include <algorithm>
#include <utility>

#include "call/worker.hpp"

namespace tandem::call {

namespace {

constexpr std::string_view default_realm = "tandem";

/// What the host is told of a registrant; empty texts are left out.
void tell(std::string_view state, const phone::ExpiredRegistration& who, const Tables& tables,
          Commons& commons, const Clock& clock) {
  commons.log.write(LogLevel::info, "phone", std::string(state),
                    {{"registrant", who.id}, {"address", who.address.to_string()}});
  if (!commons.host.wants_phones()) return;
  Event event;
  event.kind = Event::Kind::phone;
  event.at_us = clock.wall_us();
  RegistrationChange& change = event.registration.emplace();
  if (who.id.starts_with(phone_id_prefix)) {
    change.phone = who.id.substr(std::string_view(phone_id_prefix).size());
    if (const Phone* const phone = tables.find_phone(change.phone); phone != nullptr)
      change.dids = phone->config.dids;
  } else {
    event.kind = Event::Kind::gateway;
    event.gateway = who.id;
    event.text = std::string(state) + " at " + who.address.to_string();
  }
  change.state = state;
  change.address = who.address.to_string();
  change.product = who.product;
  change.source = who.source;
  change.local = who.local;
  change.sequence = who.sequence;
  commons.host.publish(std::move(event));
}

}  // namespace

phone::SuspensionRules suspension_rules(const Parameters& parameters) noexcept {
  return {parameters.auth_failures, parameters.auth_suspend ? parameters.auth_suspend_s : 0};
}

phone::RoundRules round_rules(const Parameters& parameters) noexcept {
  return {parameters.auth_rounds, std::int64_t{1'000'000} * parameters.auth_rounds_s};
}

void note_auth_failure(std::string_view user, const SocketAddress& source,
                       const Parameters& parameters, Commons& commons, const Clock& clock) {
  if (!commons.state.suspensions.note_failure(user, source.ip, suspension_rules(parameters),
                                              clock.monotonic_us())) {
    return;
  }
  std::string text = "user \"" + std::string(user) + "\" at " + source.ip.to_string() +
                     " was suspended after too many wrong passwords";
  commons.log.write(LogLevel::warning, "phone", text, {});
  if (!commons.host.wants_events()) return;
  Event event;
  event.kind = Event::Kind::alarm;
  event.at_us = clock.wall_us();
  event.text = std::move(text);
  commons.host.publish(std::move(event));
}

RegisterReply answer_register(const RegisterRequest& request, const Tables& tables,
                              Commons& commons, const Clock& clock) {
  const std::int64_t now_us = clock.monotonic_us();
  const Parameters& parameters = tables.parameters;
  SharedState& state = commons.state;
  const Registrant* const registrant = tables.find_registrant(request.user);
  RegisterReply reply;
  // P-04: who is challenged again and again is refused at last.
  const auto challenge = [&](bool is_stale) {
    const phone::RoundRules rules = round_rules(parameters);
    if (state.challenges.is_exhausted(request.call_id, request.source.ip, rules, now_us)) {
      reply.status = parameters.reply_unauthorized ? 403 : 0;
      return reply;
    }
    state.challenges.note(request.call_id, request.source.ip, rules, now_us);
    reply.status = 401;
    reply.is_stale = is_stale;
    return reply;
  };
  reply.realm = registrant != nullptr && !registrant->auth.realm.empty() ? registrant->auth.realm
                                                                         : default_realm;
  // Who is not known is challenged like everybody else, and learns nothing.
  const std::string user = request.credentials->username(reply.realm);
  if (user.empty()) return challenge(false);
  reply.status = parameters.reply_unauthorized ? 403 : 0;
  if (state.suspensions.is_suspended(user, request.source.ip, now_us)) return reply;
  // A failure counts only with a nonce of ours, which came back from where it was sent to: a forged
  // source must not be able to suspend somebody.
  const bool is_known = registrant != nullptr && user == registrant->auth.username;
  NonceUse use;
  const CredentialVerdict verdict = request.credentials->check(
      {user, is_known ? std::string_view(registrant->auth.password) : std::string_view(),
       reply.realm},
      use);
  if (verdict == CredentialVerdict::none || verdict == CredentialVerdict::stale)
    return challenge(is_known && verdict == CredentialVerdict::stale);
  state.challenges.forget(request.call_id, request.source.ip);
  if (!is_known || verdict == CredentialVerdict::wrong) {
    note_auth_failure(user, request.source, parameters, commons, clock);
    return reply;
  }
  state.suspensions.note_success(user, request.source.ip);
  const Geofence* const fence = registrant->geofence.get();
  if (fence != nullptr && !fence->admits_signalling(request.source.ip)) {  // S-01
    commons.log.write(LogLevel::warning, "phone",
                      "a registration from outside of its geofence was refused",
                      {{"registrant", registrant->id}, {"address", request.source.to_string()}});
    return reply;
  }
  phone::RegistrationRules rules;
  rules.expires_max_s = parameters.registration_expires_s;
  rules.contacts_max = registrant->is_phone ? parameters.phone_contacts : 1;
  rules.finds_by_source = !registrant->is_phone;
  phone::RegistrationOutcome outcome =
      state.registrar.apply(registrant->id, request, use, rules, now_us);
  if (outcome.status == 401) return challenge(true);
  reply.status = outcome.status;
  reply.min_expires_s = outcome.min_expires_s;
  reply.contacts = std::move(outcome.bound);
  using Change = phone::RegistrationOutcome::Change;
  if (outcome.change != Change::none) {
    tell(outcome.change == Change::registered ? "registered" : "unregistered",
         {registrant->id, outcome.address, outcome.source, outcome.local, outcome.product,
          outcome.sequence},
         tables, commons, clock);
  }
  return reply;
}

void lose_flow(const FlowId& flow, const Tables& tables, Commons& commons, const Clock& clock) {
  for (const auto& gone : commons.state.registrar.lose_flow(flow))
    tell("unregistered", gone, tables, commons, clock);
}

void tell_unanswering(const phone::ExpiredRegistration& gone, const Tables& tables,
                      Commons& commons, const Clock& clock) {
  tell("expired", gone, tables, commons, clock);
}

void expire_registrations(const Tables& tables, Commons& commons, const Clock& clock) {
  if (tables.registrants.empty()) return;
  for (const auto& gone : commons.state.registrar.expire(clock.monotonic_us()))
    tell("expired", gone, tables, commons, clock);
}

}  // namespace tandem::call
