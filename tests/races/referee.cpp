#include "races/referee.hpp"

#include <algorithm>

namespace tandem::races {
namespace {

constexpr std::int64_t patience_us = 32'000'000;  // 64*T1
constexpr std::size_t breaches_max = 20;

std::string key_of(const std::string& method, const Packet& packet) {
  return method + " " + packet.branch;
}

bool is_answer(int status) { return status >= 200 && status < 300; }

}  // namespace

void Referee::breach(const Leg& leg, const Packet& packet, const std::string& what) {
  if (breaches_.size() >= breaches_max) return;
  if (is_lenient_ && !is_at_rest_ && now_us_ == leg.received_us) return;
  breaches_.push_back((leg.is_called ? "inbound leg: " : "outbound leg: ") + packet.label() + ": " +
                      what);
}

const Referee::ServerSide* Referee::initial_server(const Leg& leg) const {
  for (const auto& [key, one] : leg.server) {
    if (one.is_initial) return &one;
  }
  return nullptr;
}

const Referee::ClientSide* Referee::initial_client(const Leg& leg) const {
  const ClientSide* last = nullptr;
  for (const auto& [key, one] : leg.client) {
    if (one.is_initial && (last == nullptr || one.cseq > last->cseq)) last = &one;
  }
  return last;
}

int Referee::answered_with(const std::string& call_id) const {
  const auto leg = legs_.find(call_id);
  if (leg == legs_.end()) return 0;
  const ServerSide* invite = initial_server(leg->second);
  return invite == nullptr ? 0 : invite->final_status;
}

std::int64_t Referee::answered_at_us(const std::string& call_id) const {
  const auto leg = legs_.find(call_id);
  if (leg == legs_.end()) return 0;
  const ServerSide* invite = initial_server(leg->second);
  return invite == nullptr ? 0 : invite->final_us;
}

void Referee::on_received_by_switch(const Packet& packet, const std::string& peer,
                                    std::int64_t now_us) {
  (void)peer;
  ++packets_;
  now_us_ = now_us;
  Leg& leg = legs_[packet.call_id];
  leg.received_us = now_us;
  if (packet.is_request()) {
    if (packet.method == "ACK") {
      for (auto& [key, one] : leg.server) {
        if (one.method == "INVITE" && one.cseq == packet.cseq && one.final_status != 0)
          one.is_acked = true;
      }
      return;
    }
    ServerSide& one = leg.server[key_of(packet.method, packet)];
    const bool is_forgotten = one.final_status != 0 && now_us - one.final_us >= patience_us;
    if (!one.method.empty() && !is_forgotten) return;  // once more
    one = {};
    one.tag = packet.from_tag;
    one.method = packet.method;
    one.cseq = packet.cseq;
    one.at_us = now_us;
    one.is_initial = packet.method == "INVITE" && packet.to_tag.empty();
    one.has_offer = packet.has_sdp;
    if (one.is_initial) leg.is_called = true;
    if (packet.method == "BYE") leg.bye_got.insert(packet.from_tag);
    if (packet.method == "PRACK") {
      for (auto& [key, invite] : leg.server) {
        if (invite.awaits_prack && invite.rseq == packet.rack_rseq &&
            invite.cseq == packet.rack_cseq) {
          invite.awaits_prack = invite.awaits_description = false;
        }
      }
    }
    return;
  }
  const auto found = leg.client.find(key_of(packet.cseq_method, packet));
  if (found == leg.client.end()) return;
  ClientSide& one = found->second;
  // Given up by timer B or, once cancelled, by RFC 3261 section 9.1.
  const bool is_lost = one.is_cancelled ? now_us - one.cancelled_us >= patience_us
                                        : !one.has_provisional && now_us - one.at_us >= patience_us;
  if (is_lost && one.final_status == 0) return;
  if (!packet.is_final()) {
    if (one.final_status != 0) return;
    one.has_provisional = true;
    if (packet.status > 100 && packet.rseq != 0) {
      std::uint32_t& last = one.reliable[packet.to_tag];
      if (last == 0 || packet.rseq == last + 1) last = packet.rseq;
    }
    return;
  }
  if (one.final_status == 0) {
    one.final_status = packet.status;
    one.final_tag = packet.to_tag;
    one.final_us = now_us;
  }
  if (one.method != "INVITE" || now_us - one.final_us >= patience_us) return;
  if (is_answer(packet.status)) {
    // After a refusal no answer is looked at (RFC 3261 figure 5).
    if (!is_answer(one.final_status)) return;
    Answer& answer = one.answers[packet.to_tag];
    ++answer.unacknowledged;
    answer.needs_answer = packet.has_sdp && !one.has_offer && one.pracked.empty();
  } else if (!is_answer(one.final_status)) {
    ++one.refusals;
  }
}

void Referee::on_sent_by_switch(const Packet& packet, const std::string& peer,
                                std::int64_t now_us) {
  (void)peer;
  ++packets_;
  now_us_ = now_us;
  Leg& leg = legs_[packet.call_id];
  if (!packet.is_request()) return check_response(leg, packet, now_us);
  if (packet.method == "ACK") return check_ack(leg, packet);
  if (packet.method == "CANCEL") return check_cancel(leg, packet, now_us);
  check_request(leg, packet, now_us);
}

void Referee::check_response(Leg& leg, const Packet& packet, std::int64_t now_us) {
  const auto found = leg.server.find(key_of(packet.cseq_method, packet));
  if (found == leg.server.end()) return breach(leg, packet, "answers nothing");
  ServerSide& one = found->second;
  if (one.cseq != packet.cseq) breach(leg, packet, "has another CSeq than its request");
  if (packet.status > 100 && packet.to_tag.empty()) breach(leg, packet, "has no To tag");
  if (one.final_status != 0) {
    if (packet.raw != one.final_bytes)
      breach(leg, packet, "follows the final response " + std::to_string(one.final_status));
    if (one.is_acked && one.method == "INVITE" && is_answer(one.final_status))
      breach(leg, packet, "is repeated after its ACK");
    return;
  }
  if (packet.status > 100) {
    if (one.to_tag.empty()) one.to_tag = packet.to_tag;
    if (one.to_tag != packet.to_tag) breach(leg, packet, "has another To tag than before");
  }
  if (!packet.is_final()) {
    if (packet.rseq == 0) return;
    if (packet.rseq == one.rseq) {
      if (packet.raw != one.last_reliable)
        breach(leg, packet, "differs from the first of its RSeq");
      if (!one.awaits_prack) breach(leg, packet, "is repeated after its PRACK");
      return;
    }
    if (one.rseq != 0 && packet.rseq != one.rseq + 1) breach(leg, packet, "skips an RSeq");
    if (one.awaits_prack) breach(leg, packet, "does not wait for the PRACK of the one before");
    one.rseq = packet.rseq;
    one.last_reliable = packet.raw;
    one.awaits_prack = true;
    one.awaits_description = packet.has_sdp;
    if (packet.has_sdp) one.has_answered = true;
    return;
  }
  if (is_answer(packet.status) && one.awaits_description)
    breach(leg, packet, "does not wait for the PRACK of a description (RFC 3262 section 3)");
  // RFC 3264, RFC 6337 section 2.2: what an INVITE or UPDATE asks for or brings is answered by its
  // 2xx, if no reliable response has done that.
  const bool is_change = one.method == "INVITE" || (one.method == "UPDATE" && one.has_offer);
  if (is_answer(packet.status) && is_change && !packet.has_sdp && !one.has_answered)
    breach(leg, packet, "brings no description");
  one.final_status = packet.status;
  one.final_bytes = packet.raw;
  one.final_us = now_us;
}

void Referee::check_ack(Leg& leg, const Packet& packet) {
  for (auto& [key, one] : leg.client) {
    if (one.method != "INVITE" || one.cseq != packet.cseq) continue;
    if (one.final_status == 0) return breach(leg, packet, "comes before a final response");
    if (!is_answer(one.final_status)) {
      if (one.branch != packet.branch) breach(leg, packet, "has not the branch of its INVITE");
      if (one.final_tag != packet.to_tag && one.refusals < 2)
        breach(leg, packet, "has not the To tag of the response");
      ++one.acked;
      return;
    }
    const auto answer = one.answers.find(packet.to_tag);
    if (answer == one.answers.end()) return breach(leg, packet, "confirms a dialog without a 2xx");
    if (one.branch == packet.branch) breach(leg, packet, "has the branch of its INVITE");
    answer->second.unacknowledged = 0;
    if (answer->second.needs_answer && !packet.has_sdp && answer->second.silent_ack_us < 0)
      answer->second.silent_ack_us = now_us_;
    return;
  }
  breach(leg, packet, "confirms nothing");
}

void Referee::check_cancel(Leg& leg, const Packet& packet, std::int64_t now_us) {
  const auto found = leg.client.find(key_of("INVITE", packet));
  if (found == leg.client.end()) return breach(leg, packet, "cancels nothing");
  ClientSide& invite = found->second;
  if (invite.cseq != packet.cseq) breach(leg, packet, "has another CSeq than its INVITE");
  ClientSide& one = leg.client[key_of("CANCEL", packet)];
  if (one.method.empty()) {
    if (!invite.has_provisional) breach(leg, packet, "comes before a provisional response");
    if (invite.final_status != 0) breach(leg, packet, "comes after the final response");
    one.method = "CANCEL";
    one.bytes = packet.raw;
    one.branch = packet.branch;
    one.cseq = packet.cseq;
    one.at_us = now_us;
    invite.is_cancelled = true;
    invite.cancelled_us = now_us;
  } else if (one.final_status != 0) {
    breach(leg, packet, "is repeated after its final response");
  }
}

void Referee::check_request(Leg& leg, const Packet& packet, std::int64_t now_us) {
  const auto found = leg.client.find(key_of(packet.method, packet));
  if (found == leg.client.end()) return check_new(leg, packet, now_us);
  const ClientSide& one = found->second;
  if (one.bytes != packet.raw) breach(leg, packet, "differs from the first of its branch");
  if (one.final_status != 0) breach(leg, packet, "is repeated after its final response");
  if (one.method == "INVITE" && one.has_provisional)
    breach(leg, packet, "is repeated after a provisional response");
}

bool Referee::has_open_offer(const Leg& leg, const std::string& tag, std::int64_t now_us) const {
  return std::any_of(leg.client.begin(), leg.client.end(),
                     [&](const auto& entry) {
                       const ClientSide& one = entry.second;
                       if (now_us - one.at_us >= patience_us && !one.has_provisional) return false;
                       const bool is_change = one.method == "INVITE" || one.method == "UPDATE";
                       return is_change && !one.is_initial && one.has_offer && one.tag == tag &&
                              one.final_status == 0;
                     }) ||
         std::any_of(leg.server.begin(), leg.server.end(), [&](const auto& entry) {
           const ServerSide& one = entry.second;
           const bool is_change = one.method == "INVITE" || one.method == "UPDATE";
           return is_change && !one.is_initial && one.has_offer && one.tag == tag &&
                  one.final_status == 0;
         });
}

void Referee::check_new(Leg& leg, const Packet& packet, std::int64_t now_us) {
  ClientSide one;
  one.method = packet.method;
  one.bytes = packet.raw;
  one.branch = packet.branch;
  one.cseq = packet.cseq;
  one.at_us = now_us;
  one.has_offer = packet.has_sdp;
  one.is_initial = packet.to_tag.empty();
  one.tag = packet.to_tag;
  std::uint32_t& last = leg.cseq[packet.to_tag];
  if (packet.cseq <= last) breach(leg, packet, "has a CSeq that is not new");
  last = packet.cseq;
  if (!one.is_initial) {
    const std::string& tag = packet.to_tag;
    if (leg.bye_sent.contains(tag)) breach(leg, packet, "follows our BYE");
    if (leg.bye_got.contains(tag)) breach(leg, packet, "follows their BYE");
    const ServerSide* server = initial_server(leg);
    const ClientSide* client = initial_client(leg);
    const bool is_early = leg.is_called ? server != nullptr && server->final_status == 0
                                        : client != nullptr && client->final_status == 0;
    const bool is_up = leg.is_called ? server != nullptr && is_answer(server->final_status)
                                     : client != nullptr && client->answers.contains(tag);
    if (!is_up && !is_early) breach(leg, packet, "belongs to no dialog");
    if (is_early && packet.method != "UPDATE" && packet.method != "PRACK")
      breach(leg, packet, "comes before the answer");
    if (packet.method == "BYE" && leg.is_called && is_up && !server->is_acked &&
        now_us - server->final_us < patience_us)
      breach(leg, packet, "comes before the ACK (RFC 3261 section 15)");
    if (packet.method == "INVITE") {
      const bool is_crossing =
          std::any_of(leg.client.begin(), leg.client.end(),
                      [](const auto& entry) {
                        return entry.second.method == "INVITE" && entry.second.final_status == 0;
                      }) ||
          std::any_of(leg.server.begin(), leg.server.end(), [&](const auto& entry) {
            const ServerSide& other = entry.second;
            return other.method == "INVITE" &&
                   (other.final_status == 0 || (!other.is_acked && is_answer(other.final_status) &&
                                                now_us - other.final_us < patience_us));
          });
      if (is_crossing) breach(leg, packet, "crosses another INVITE (RFC 3261 section 14.1)");
    }
    const bool is_change = packet.method == "INVITE" || packet.method == "UPDATE";
    if (is_change && packet.has_sdp && has_open_offer(leg, tag, now_us))
      breach(leg, packet, "offers while an offer is open (RFC 3264 section 4)");
    if (packet.method == "PRACK") {
      const auto invite =
          std::find_if(leg.client.begin(), leg.client.end(), [&](const auto& entry) {
            return entry.second.method == "INVITE" && entry.second.cseq == packet.rack_cseq;
          });
      if (invite == leg.client.end()) {
        breach(leg, packet, "acknowledges nothing");
      } else {
        const auto due = invite->second.reliable.find(tag);
        if (due == invite->second.reliable.end() || due->second < packet.rack_rseq)
          breach(leg, packet, "acknowledges nothing");
        if (!invite->second.pracked.insert(tag + " " + std::to_string(packet.rack_rseq)).second)
          breach(leg, packet, "acknowledges once more");
      }
    }
    if (packet.method == "BYE") leg.bye_sent[tag] = now_us;
  }
  leg.client[key_of(packet.method, packet)] = one;
}

void Referee::on_rest(std::int64_t now_us) {
  now_us_ = now_us;
  is_at_rest_ = true;
  for (const auto& [call_id, leg] : legs_) {
    Packet about;
    for (const auto& [key, one] : leg.server) {
      about.method = one.method;
      if (one.final_status == 0) breach(leg, about, "got no final response");
      if (one.is_initial && is_answer(one.final_status) && leg.bye_sent.empty() &&
          leg.bye_got.empty())
        breach(leg, about, "began a dialog that nobody ended");
    }
    for (const auto& [key, one] : leg.client) {
      if (one.method != "INVITE") continue;
      about.method = "INVITE";
      if (one.refusals > one.acked) breach(leg, about, "a refusal got no ACK");
      for (const auto& [tag, answer] : one.answers) {
        // An ACK that waits for the answer to an offer is not due any more when the peer has given
        // up (RFC 3261 section 13.3.1.4).
        const auto ended = leg.bye_sent.find(tag);
        const bool is_past =
            ended != leg.bye_sent.end() && ended->second - one.final_us >= patience_us;
        if (answer.unacknowledged > 0 && !is_past) breach(leg, about, "a 2xx got no ACK");
        const bool was_over =
            (ended != leg.bye_sent.end() && ended->second <= answer.silent_ack_us) ||
            leg.bye_got.contains(tag);
        if (answer.silent_ack_us >= 0 && !was_over)
          breach(leg, about, "an offer in a 2xx got an ACK without an answer");
        if (one.is_initial && !leg.bye_sent.contains(tag) && !leg.bye_got.contains(tag))
          breach(leg, about, "a 2xx began a dialog that nobody ended");
      }
    }
  }
}

}  // namespace tandem::races
