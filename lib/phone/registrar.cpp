#include "phone/registrar.hpp"

#include <algorithm>
#include <utility>

namespace tandem::phone {
namespace {

constexpr std::int64_t second_us = 1'000'000;
// A refresh that changes nothing but the expiry is stored no more often than this.
constexpr std::int64_t store_rhythm_us = 20 * second_us;
// More than are closed while a REGISTER is on its way from one worker to another.
constexpr std::size_t closed_flows_max = 16'384;

/// Seconds that are left, at least one: 0 would say that it is gone.
std::int32_t left_s(const Contact& contact, std::int64_t now_us) noexcept {
  return static_cast<std::int32_t>(
      std::max<std::int64_t>(1, (contact.expires_at_us - now_us + second_us - 1) / second_us));
}

void drop_expired(std::vector<Contact>& contacts, std::int64_t now_us) {
  std::erase_if(contacts, [now_us](const Contact& one) { return one.expires_at_us <= now_us; });
}

void put_best_first(std::vector<Contact>& contacts) {
  std::stable_sort(contacts.begin(), contacts.end(), [](const Contact& a, const Contact& b) {
    return std::pair(-a.q_thousandths, -a.registered_at_us) <
           std::pair(-b.q_thousandths, -b.registered_at_us);
  });
}

/// Whether requests go elsewhere, or look otherwise, than before.
bool is_moved(const Contact& before, const Contact& now) noexcept {
  return before.uri != now.uri || before.destination != now.destination ||
         before.transport != now.transport || before.flow != now.flow ||
         before.local != now.local || before.path != now.path ||
         before.q_thousandths != now.q_thousandths;
}

/// RFC 3327: calls go to the proxy that is next to this switch, which is where the REGISTER came
/// from: it has proved nothing, but what it sent had a password in it. So nobody has a third party
/// called by naming it in a Path.
void lead_through_edge(const RegisterRequest& request, Contact& contact) {
  contact.path = request.path;
  const bool is_reachable = request.edge.ip == request.source.ip;
  contact.transport = request.transport == SipTransport::udp && is_reachable
                          ? request.edge_transport.value_or(SipTransport::udp)
                          : request.transport;
  contact.destination = is_reachable ? request.edge : request.source;
  contact.is_behind_nat = false;  // what is behind the proxy is the proxy's
  contact.needs_flow = request.flow.is_set() && (!is_reachable || is_over_tls(request.transport) ||
                                                 is_websocket(request.transport));
}

std::uint64_t flow_key(const FlowId& flow) noexcept {
  return std::uint64_t{flow.worker} << 32U | flow.serial;
}

std::vector<BoundContact> bound(const std::vector<Contact>& contacts, std::int64_t now_us) {
  std::vector<BoundContact> rows;
  rows.reserve(contacts.size());
  for (const Contact& one : contacts)
    rows.push_back({one.uri, left_s(one, now_us), one.q_thousandths});
  return rows;
}

}  // namespace

SocketAddress reachable_address(const OfferedContact& contact, const SocketAddress& source,
                                bool is_over_stream) noexcept {
  // Calls go to the host that proved who it is. A Contact elsewhere may be an address behind NAT;
  // or that of a vendor, which would take the switch's word for the call.
  const bool is_reachable = contact.address.ip == source.ip;
  // The far end of a connection is no place to connect to, unless nothing better is known.
  if (is_reachable) return contact.address;
  return is_over_stream && contact.address.port != 0
             ? SocketAddress{source.ip, contact.address.port}
             : source;
}

RegistrationOutcome Registrar::apply(std::string_view id, const RegisterRequest& request,
                                     const NonceUse& use, const RegistrationRules& rules,
                                     std::int64_t now_us) {
  const auto refused = [](std::int32_t status) {
    RegistrationOutcome outcome;
    outcome.status = status;
    return outcome;
  };
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  Registrant& registrant = part.registrants.try_emplace(std::string(id)).first->second;
  registrant.finds_by_source = rules.finds_by_source;

  // The stack keeps no transaction of a REGISTER, so a repetition comes here: it changes nothing
  // and gets the answer once more.
  const bool is_repetition = !registrant.last_call_id.empty() &&
                             registrant.last_cseq == request.cseq &&
                             registrant.last_call_id == request.call_id;
  const bool is_new_nonce = registrant.nonces.use(use);
  if (!is_new_nonce && !is_repetition) return refused(401);

  std::vector<Contact> after = registrant.contacts;
  drop_expired(after, now_us);
  // By what was told of it: an end that nobody has heard of is told of now.
  const bool was_online = !registrant.contacts.empty();
  RegistrationOutcome outcome;
  if (is_repetition) {
    outcome.bound = bound(after, now_us);
    return outcome;
  }
  // A client counts up within a Call-ID; what comes late must not undo what came before it.
  const auto is_late = [&](const Contact& one) {
    return one.call_id == request.call_id && one.cseq >= request.cseq;
  };

  bool is_moved_any = false;
  Contact shown = was_online ? registrant.contacts.front() : Contact();
  if (request.is_wildcard) {
    if (!request.contacts.empty() || request.expires_s != 0) return refused(400);
    if (std::any_of(after.begin(), after.end(), is_late)) return refused(500);
    after.clear();
  }
  for (const OfferedContact& offered : request.contacts) {
    std::int32_t expires_s = offered.expires_s >= 0   ? offered.expires_s
                             : request.expires_s >= 0 ? request.expires_s
                                                      : rules.expires_max_s;
    if (expires_s > 0 && expires_s < expires_min_s) {
      outcome = refused(423);
      outcome.min_expires_s = expires_min_s;
      return outcome;
    }
    expires_s = std::min(expires_s, rules.expires_max_s);
    const auto known = std::find_if(after.begin(), after.end(), [&](const Contact& one) {
      return one.identity == offered.identity;
    });
    if (known != after.end() && is_late(*known)) return refused(500);
    if (expires_s == 0) {
      if (known != after.end()) after.erase(known);
      continue;
    }
    Contact contact;
    contact.uri = offered.uri;
    contact.identity = offered.identity;
    contact.call_id = request.call_id;
    contact.cseq = request.cseq;
    contact.product = request.product;
    contact.transport = request.transport == SipTransport::udp
                            ? offered.transport.value_or(SipTransport::udp)
                            : request.transport;
    contact.destination =
        reachable_address(offered, request.source, contact.transport != SipTransport::udp);
    contact.source = request.source;
    contact.local = request.local;
    contact.flow = request.flow;
    contact.is_behind_nat = offered.address.ip != request.source.ip;
    // Who registers over TLS has no certificate, as a rule, that it could be called with; a browser
    // cannot be connected to at all (RFC 7118, RFC 5626 section 3.4).
    contact.needs_flow =
        request.flow.is_set() && (contact.is_behind_nat || is_over_tls(request.transport) ||
                                  is_websocket(request.transport));
    if (!request.path.empty()) lead_through_edge(request, contact);
    contact.q_thousandths = offered.q_thousandths;
    contact.registered_at_us = known != after.end() ? known->registered_at_us : now_us;
    contact.expires_at_us = now_us + expires_s * second_us;
    contact.heard_at_us = now_us;
    is_moved_any |= known == after.end() || is_moved(*known, contact);
    if (contact.flow.is_set() && !index_flow(std::string(id), contact.flow)) {
      if (contact.needs_flow) return refused(500);  // nobody is there to hear it
      contact.flow = {};
    }
    if (known != after.end()) {
      *known = std::move(contact);
      continue;
    }
    // A second device takes the place of the first one, the one that was not heard of for longest.
    const auto most = static_cast<std::size_t>(
        std::clamp<std::int32_t>(rules.contacts_max, 1, static_cast<std::int32_t>(contacts_max)));
    while (after.size() >= most) {
      after.erase(std::min_element(after.begin(), after.end(), [](const auto& a, const auto& b) {
        return a.expires_at_us < b.expires_at_us;
      }));
    }
    after.push_back(std::move(contact));
  }
  put_best_first(after);
  if (request.contacts.empty() && !request.is_wildcard) {  // it only asked: nothing changes
    registrant.last_call_id = request.call_id;
    registrant.last_cseq = request.cseq;
    outcome.bound = bound(after, now_us);
    return outcome;
  }

  const bool is_same_size = after.size() == registrant.contacts.size();
  registrant.contacts = std::move(after);
  registrant.last_call_id = request.call_id;
  registrant.last_cseq = request.cseq;
  outcome.bound = bound(registrant.contacts, now_us);
  const bool is_online = !registrant.contacts.empty();
  if (is_online && is_moved_any) {
    outcome.change = RegistrationOutcome::Change::registered;
    shown = registrant.contacts.front();
  } else if (was_online && !is_online) {
    outcome.change = RegistrationOutcome::Change::unregistered;
  }
  if (outcome.change != RegistrationOutcome::Change::none)
    outcome.sequence = registrant.change_sequence = ++change_sequence_;
  outcome.address = shown.destination;
  outcome.source = shown.source;
  outcome.local = shown.local;
  outcome.product = std::move(shown.product);
  const std::string name(id);
  schedule(part, name, registrant);
  if (is_moved_any || !is_same_size) index_sources(name, registrant);
  if (is_moved_any || !is_same_size || now_us - registrant.stored_us >= store_rhythm_us) {
    registrant.stored_us = now_us;
    note_change(part, name);
  }
  return outcome;
}

bool Registrar::use_nonce(std::string_view id, const NonceUse& use) {
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  return part.registrants.try_emplace(std::string(id)).first->second.nonces.use(use);
}

std::vector<Contact> Registrar::contacts(std::string_view id, std::int64_t now_us) const {
  const Part& part = part_of(id);
  std::vector<Contact> live;
  const std::lock_guard lock(part.mutex);
  const auto found = part.registrants.find(id);
  if (found != part.registrants.end()) {
    live = found->second.contacts;
    drop_expired(live, now_us);
  }
  return live;
}

bool Registrar::is_online(std::string_view id, std::int64_t now_us) const {
  const Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  const auto found = part.registrants.find(id);
  return found != part.registrants.end() &&
         std::any_of(found->second.contacts.begin(), found->second.contacts.end(),
                     [now_us](const Contact& one) { return one.expires_at_us > now_us; });
}

Presence Registrar::presence(std::string_view id, std::int64_t now_us) const {
  const Part& part = part_of(id);
  Presence now;
  const std::lock_guard lock(part.mutex);
  const auto found = part.registrants.find(id);
  if (found == part.registrants.end()) return now;
  now.sequence = found->second.change_sequence;
  for (const Contact& one : found->second.contacts) {
    if (one.expires_at_us <= now_us) continue;
    now.best = one;
    break;
  }
  return now;
}

/// REQUIRES: the lock of its part.
ExpiredRegistration Registrar::gone(const std::string& id, Registrant& registrant,
                                    const Contact& last) {
  registrant.change_sequence = ++change_sequence_;
  return {id, last.destination, last.source, last.local, last.product, registrant.change_sequence};
}

bool Registrar::is_at(std::string_view id, const SocketAddress& source, std::int64_t now_us) const {
  const Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  const auto found = part.registrants.find(id);
  return found != part.registrants.end() &&
         std::any_of(found->second.contacts.begin(), found->second.contacts.end(),
                     [&](const Contact& one) {
                       return one.expires_at_us > now_us &&
                              (one.source == source || one.destination == source);
                     });
}

std::optional<std::string> Registrar::registrant_at(const SocketAddress& source) const {
  const std::lock_guard lock(sources_mutex_);
  const auto found = by_source_.find(source);
  if (found == by_source_.end()) return std::nullopt;
  return found->second;
}

std::vector<NatBinding> Registrar::behind_nat(std::size_t part, std::int64_t now_us) const {
  std::vector<NatBinding> found;
  const Part& looked_at = parts_[part];
  const std::lock_guard lock(looked_at.mutex);
  for (const auto& [id, registrant] : looked_at.registrants) {
    for (const Contact& one : registrant.contacts) {
      if (one.is_behind_nat && one.transport == SipTransport::udp && one.expires_at_us > now_us)
        found.push_back({one.destination, one.local});
    }
  }
  return found;
}

std::vector<UdpBinding> Registrar::over_udp(std::size_t part, std::int64_t since_us,
                                            std::int64_t now_us) const {
  std::vector<UdpBinding> found;
  const Part& looked_at = parts_[part];
  const std::lock_guard lock(looked_at.mutex);
  for (const auto& [id, registrant] : looked_at.registrants) {
    for (const Contact& one : registrant.contacts) {
      // The proxy on the way would answer for it.
      if (one.transport == SipTransport::udp && one.path.empty() && one.heard_at_us <= since_us &&
          one.expires_at_us > now_us)
        found.push_back({id, one.destination, one.local});
    }
  }
  return found;
}

std::optional<ExpiredRegistration> Registrar::note_check(std::string_view id,
                                                         const SocketAddress& destination,
                                                         std::int64_t asked_us, bool is_answered) {
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  const auto entry = part.registrants.find(id);
  if (entry == part.registrants.end()) return std::nullopt;
  Registrant& registrant = entry->second;
  std::vector<Contact>& contacts = registrant.contacts;
  const auto asked = std::find_if(contacts.begin(), contacts.end(), [&](const Contact& one) {
    return one.transport == SipTransport::udp && one.path.empty() && one.destination == destination;
  });
  if (asked == contacts.end() || asked->heard_at_us > asked_us) return std::nullopt;
  asked->checks_missed = is_answered ? 0 : asked->checks_missed + 1;
  if (asked->checks_missed < checks_missed_max) return std::nullopt;
  const Contact last = *asked;
  contacts.erase(asked);
  schedule(part, entry->first, registrant);
  index_sources(entry->first, registrant);
  note_change(part, entry->first);
  if (!contacts.empty()) return std::nullopt;
  return gone(entry->first, registrant, last);
}

std::size_t Registrar::online() const {
  std::size_t count = 0;
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    count += part.due.size();
  }
  return count;
}

std::vector<ExpiredRegistration> Registrar::expire(std::int64_t now_us) {
  std::vector<ExpiredRegistration> over;
  for (Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    while (!part.due.empty() && part.due.begin()->first <= now_us) {
      const std::string id = part.due.begin()->second;
      Registrant& registrant = part.registrants.find(id)->second;
      const Contact last = registrant.contacts.front();  // who is due has one
      drop_expired(registrant.contacts, now_us);
      schedule(part, id, registrant);
      index_sources(id, registrant);
      note_change(part, id);
      if (registrant.contacts.empty()) over.push_back(gone(id, registrant, last));
    }
  }
  return over;
}

/// Puts the registrant where it stands in the order of expiry.
void Registrar::schedule(Part& part, const std::string& id, Registrant& registrant) {
  std::int64_t due_us = 0;
  for (const Contact& one : registrant.contacts)
    due_us = due_us == 0 ? one.expires_at_us : std::min(due_us, one.expires_at_us);
  if (due_us == registrant.due_us) return;
  if (registrant.due_us != 0) part.due.erase({registrant.due_us, id});
  if (due_us != 0) part.due.emplace(due_us, id);
  registrant.due_us = due_us;
}

void Registrar::index_sources(const std::string& id, const Registrant& registrant) {
  const std::lock_guard lock(sources_mutex_);
  if (const auto known = sources_.find(id); known != sources_.end()) {
    for (const SocketAddress& address : known->second) {
      const auto [begin, end] = by_source_.equal_range(address);
      const auto own =
          std::find_if(begin, end, [&id](const auto& entry) { return entry.second == id; });
      if (own != end) by_source_.erase(own);
    }
    sources_.erase(known);
  }
  if (!registrant.finds_by_source || registrant.contacts.empty()) return;
  std::vector<SocketAddress>& addresses = sources_[id];
  for (const Contact& one : registrant.contacts) {
    addresses.push_back(one.source);
    if (one.destination != one.source) addresses.push_back(one.destination);
  }
  for (const SocketAddress& address : addresses)
    by_source_.emplace(address, id);
}

bool Registrar::index_flow(const std::string& id, const FlowId& flow) {
  const std::lock_guard lock(flows_mutex_);
  if (is_closed_.contains(flow_key(flow))) return false;
  by_flow_[flow_key(flow)].insert(id);
  return true;
}

std::vector<ExpiredRegistration> Registrar::lose_flow(const FlowId& flow) {
  std::set<std::string> ids;
  {
    const std::lock_guard lock(flows_mutex_);
    if (is_closed_.insert(flow_key(flow)).second) closed_flows_.push_back(flow_key(flow));
    if (closed_flows_.size() > closed_flows_max) {
      is_closed_.erase(closed_flows_.front());
      closed_flows_.pop_front();
    }
    const auto found = by_flow_.find(flow_key(flow));
    if (found == by_flow_.end()) return {};
    ids = std::move(found->second);
    by_flow_.erase(found);
  }
  std::vector<ExpiredRegistration> over;
  for (const std::string& id : ids) {
    Part& part = part_of(id);
    const std::lock_guard lock(part.mutex);
    const auto entry = part.registrants.find(id);
    if (entry == part.registrants.end()) continue;
    Registrant& registrant = entry->second;
    std::vector<Contact>& contacts = registrant.contacts;
    if (std::none_of(contacts.begin(), contacts.end(),
                     [&](const Contact& one) { return one.flow == flow; }))
      continue;  // it has moved
    const Contact best = contacts.front();
    std::erase_if(contacts, [&](const Contact& one) { return one.flow == flow && one.needs_flow; });
    for (Contact& one : contacts) {
      if (one.flow == flow) one.flow = {};
    }
    schedule(part, id, registrant);
    index_sources(id, registrant);
    note_change(part, id);
    if (contacts.empty()) over.push_back(gone(id, registrant, best));
  }
  return over;
}

void Registrar::note_change(Part& part, const std::string& id) {
  part.changed.insert(id);
  has_changes_.store(true);
}

void Registrar::forget(Part& part, const std::string& id, Registrant& registrant) {
  if (registrant.contacts.empty()) return;
  registrant.contacts.clear();
  schedule(part, id, registrant);
  index_sources(id, registrant);
  note_change(part, id);
}

std::vector<StoredRegistration> Registrar::take_changes(std::int64_t wall_minus_us,
                                                        std::size_t registrants_max) {
  std::vector<StoredRegistration> taken;
  has_changes_.store(false);
  for (Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    while (!part.changed.empty()) {
      if (taken.size() == registrants_max) {
        has_changes_.store(true);
        return taken;
      }
      const auto name = part.changed.begin();
      StoredRegistration& row = taken.emplace_back();
      row.id = *name;
      if (const auto found = part.registrants.find(*name); found != part.registrants.end())
        row.contacts = found->second.contacts;
      // A connection does not outlive this run, so whoever needs it is not there in the next.
      std::erase_if(row.contacts, [](const Contact& one) { return one.needs_flow; });
      for (Contact& one : row.contacts) {
        one.registered_at_us += wall_minus_us;
        one.expires_at_us += wall_minus_us;
      }
      part.changed.erase(name);
    }
  }
  return taken;
}

void Registrar::keep_change(std::string_view id) {
  Part& part = part_of(id);
  const std::lock_guard lock(part.mutex);
  note_change(part, std::string(id));
}

void Registrar::restore(StoredRegistration stored, const RegistrationRules& rules,
                        std::int64_t wall_minus_us, std::int64_t now_us) {
  Part& part = part_of(stored.id);
  const std::lock_guard lock(part.mutex);
  Registrant& registrant = part.registrants[stored.id];
  registrant.finds_by_source = rules.finds_by_source;
  registrant.contacts = std::move(stored.contacts);
  for (Contact& one : registrant.contacts) {
    one.registered_at_us -= wall_minus_us;
    one.expires_at_us -= wall_minus_us;
    one.flow = {};
    one.heard_at_us = now_us;  // it gets a period's time after a restart, too
  }
  drop_expired(registrant.contacts, now_us);
  put_best_first(registrant.contacts);
  schedule(part, stored.id, registrant);
  index_sources(stored.id, registrant);
}

}  // namespace tandem::phone
