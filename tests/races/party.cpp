#include "races/party.hpp"

#include <algorithm>
#include <utility>

namespace tandem::races {
namespace {

constexpr int changes_max = 3;  // of the session, by one end

std::string reason_phrase(int status) { return status < 300 ? "OK" : "No"; }

}  // namespace

Party::Party(Settings settings, sim::RawEndpoint& wire)
    : settings_(std::move(settings)),
      wire_(wire),
      to_(SocketAddress::parse("10.0.0.1:5060").value()),
      own_tag_(settings_.name + settings_.call) {
  if (!is_calling()) return;
  call_id_ = settings_.name + settings_.call + "@10.0.1.1";
  own_ = "<sip:1000@10.0.1.1>";
  peer_ = "<sip:" + settings_.callee + "@10.0.0.1>";
  target_ = "sip:" + settings_.callee + "@10.0.0.1:5060";
}

std::string Party::next_branch() {
  return "z9hG4bK" + settings_.name + settings_.call + "x" + std::to_string(++branches_);
}

std::string Party::sdp() const {
  const std::string ip = settings_.address.substr(0, settings_.address.find(':'));
  return "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip +
         "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
}

void Party::send(const std::string& bytes) {
  if (is_off_) return;
  last_sent_ = bytes;
  history_ += ">" + read_packet(bytes).label() + "\n";
  wire_.send(to_, bytes);
}

std::string Party::request(const std::string& method, std::uint32_t cseq, const std::string& branch,
                           const std::string& lines, const std::string& body,
                           const std::string& to_tag) const {
  return method + " " + target_ + " SIP/2.0\r\nVia: SIP/2.0/UDP " + settings_.address +
         ";branch=" + branch + "\r\nMax-Forwards: 70\r\nFrom: " + own_ + ";tag=" + own_tag_ +
         "\r\nTo: " + peer_ + (to_tag.empty() ? "" : ";tag=" + to_tag) +
         "\r\nCall-ID: " + call_id_ + "\r\nCSeq: " + std::to_string(cseq) + " " + method +
         "\r\nContact: <sip:" + settings_.name + "@" + settings_.address + ">\r\n" + lines +
         (body.empty() ? "" : "Content-Type: application/sdp\r\n") +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void Party::ask(const std::string& method, const std::string& lines, const std::string& body) {
  Asking asking;
  asking.method = method;
  asking.branch = next_branch();
  asking.cseq = ++cseq_;
  asking.is_initial = peer_tag_.empty();
  asking.has_offer = !body.empty();
  std::string more = lines;
  if (method == "INVITE" || method == "UPDATE") {
    more += "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, INFO, REFER, NOTIFY\r\n";
    if (settings_.has_rel100 && asking.is_initial) more += "Supported: 100rel\r\n";
    if (settings_.has_timer) more += "Supported: timer\r\nSession-Expires: 90\r\n";
  }
  asking.raw = request(method, asking.cseq, asking.branch, more, body, peer_tag_);
  asking_.push_back(asking);
  send(asking.raw);
}

void Party::respond(Asked& asked, int status, const std::string& tag, bool with_sdp,
                    bool reliably) {
  const Packet& request = asked.request;
  const std::string body = with_sdp ? sdp() : std::string();
  std::string to = request.to;
  if (request.to_tag.empty() && status > 100) to += ";tag=" + tag;
  std::string lines = "Contact: <sip:" + settings_.name + "@" + settings_.address + ">\r\n";
  if (status == 302) lines = "Contact: <sip:990555@10.0.2.2:5060>\r\n";
  if (status == 401) lines += "WWW-Authenticate: Digest realm=\"v\", nonce=\"n\"\r\n";
  if (reliably) {
    asked.rseq = asked.rseq == 0 ? 7 : asked.rseq + 1;
    lines += "Require: 100rel\r\nRSeq: " + std::to_string(asked.rseq) + "\r\n";
  }
  lines += "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, INFO, REFER, NOTIFY\r\n";
  if (status < 300 && status >= 200 && settings_.has_timer && request.supports_timer &&
      (request.method == "INVITE" || request.method == "UPDATE"))
    lines += "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n";
  const std::string bytes =
      "SIP/2.0 " + std::to_string(status) + " " + reason_phrase(status) +
      "\r\nVia: " + header_value(request.raw, "Via") + "\r\nFrom: " + request.from +
      "\r\nTo: " + to + "\r\nCall-ID: " + request.call_id +
      "\r\nCSeq: " + std::to_string(request.cseq) + " " + request.cseq_method + "\r\n" + lines +
      (body.empty() ? "" : "Content-Type: application/sdp\r\n") +
      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  if (with_sdp) asked.has_described = true;
  if (status >= 200 && asked.final_status == 0) {
    asked.final_status = status;
    if (asked.is_initial && status < 300) {
      is_up_ = true;
      own_tag_ = tag;
    }
  }
  asked.last = bytes;
  send(bytes);
}

void Party::acknowledge(Asking& asking) {
  const std::string body = asking.has_offer ? std::string() : sdp();
  asking.ack = request("ACK", asking.cseq, next_branch(), {}, body, asking.answer.to_tag);
  send(asking.ack);
}

void Party::prack(Asking& asking) {
  const Packet& response = asking.reliable[asking.pracked++];
  const std::string lines =
      "RAck: " + std::to_string(response.rseq) + " " + std::to_string(asking.cseq) + " INVITE\r\n";
  const bool is_answer = !asking.has_offer && response.has_sdp;
  if (peer_tag_.empty()) peer_tag_ = response.to_tag;
  ask("PRACK", lines, is_answer ? sdp() : std::string());
}

/// Each key in an INFO of its own, without waiting for the answers.
void Party::press(std::string_view keys) {
  for (const char key : keys) {
    const std::string body = "Signal=" + std::string(1, key) + "\r\nDuration=100\r\n";
    Asking asking;
    asking.method = "INFO";
    asking.branch = next_branch();
    asking.cseq = ++cseq_;
    asking.raw = request("INFO", asking.cseq, asking.branch,
                         "Content-Type: application/dtmf-relay\r\n", {}, peer_tag_);
    const std::size_t length = asking.raw.find("Content-Length: 0");
    asking.raw.replace(length + 16, 1, std::to_string(body.size()));
    asking.raw += body;
    asking_.push_back(asking);
    send(asking.raw);
  }
}

void Party::cancel(Asking& asking) {
  asking.is_cancelled = true;
  std::string bytes = request("CANCEL", asking.cseq, asking.branch, {}, {},
                              asking.is_initial ? std::string() : peer_tag_);
  // The Request-URI of its INVITE, which the dialog's target may not be any more.
  bytes = "CANCEL" + asking.raw.substr(6, asking.raw.find("\r\n") - 6) +
          bytes.substr(bytes.find("\r\n"));
  send(bytes);
}

Party::Asked* Party::initial_asked() {
  Asked* last = nullptr;
  for (Asked& one : asked_) {
    if (one.is_initial) last = &one;
  }
  return last;
}

Party::Asking* Party::initial_asking() {
  for (Asking& one : asking_) {
    if (one.is_initial && one.method == "INVITE") return &one;
  }
  return nullptr;
}

Party::Asked* Party::open_change() {
  for (Asked& one : asked_) {
    if (!one.is_initial && one.final_status == 0) return &one;
  }
  return nullptr;
}

Party::Asking* Party::unacknowledged() {
  for (Asking& one : asking_) {
    if (one.method == "INVITE" && one.final_status >= 200 && one.final_status < 300 &&
        one.ack.empty())
      return &one;
  }
  return nullptr;
}

Party::Asking* Party::unpracked() {
  for (Asking& one : asking_) {
    if (one.pracked < one.reliable.size()) return &one;
  }
  return nullptr;
}

std::vector<std::string> Party::acts() const {
  static constexpr const char* all[] = {
      "cancel", "ack",  "prack", "bye",  "inv", "inv0", "upd",   "info", "stale", "ref", "rep",
      "ask",    "back", "two",   "180",  "183", "180r", "183r",  "200",  "486",   "503", "302",
      "401",    "487",  "183f",  "200f", "ok",  "no",   "glare", "gone", "dup"};
  std::vector<std::string> possible;
  for (const char* what : all) {
    if (can(what)) possible.emplace_back(what);
  }
  return possible;
}

bool Party::act(std::string_view what) { return do_(what, true); }

/// The rules for which act is possible when, and what it does: side by side, so that they agree.
bool Party::do_(std::string_view what, bool really) {
  if (is_off_) return false;
  Asking* const calling = initial_asking();
  Asked* const called = initial_asked();
  const bool has_begun = calling != nullptr || called != nullptr;
  const bool has_dialog = !peer_tag_.empty() && has_begun;
  if (what == "inv" || what == "inv0") {
    const std::string body = what == "inv" ? sdp() : std::string();
    if (is_calling() && !has_begun) {
      const Party* const replaced = settings_.replaced;
      if (replaced != nullptr && replaced->peer_tag().empty()) return false;
      std::string lines;
      if (replaced != nullptr) {
        lines = "Require: replaces\r\nReplaces: " + replaced->call_id() +
                ";to-tag=" + replaced->peer_tag() + ";from-tag=" + replaced->own_tag() + "\r\n";
      }
      if (really) ask("INVITE", lines, body);
      return true;
    }
    // With its own INVITE open it waits; all else may cross on the wire.
    const bool is_open = std::any_of(asking_.begin(), asking_.end(), [](const Asking& one) {
      return one.method == "INVITE" &&
             (one.final_status == 0 || (one.final_status < 300 && one.ack.empty()));
    });
    if (!is_up_ || !has_dialog || has_sent_bye_ || is_open || changes_ >= changes_max) return false;
    if (really) {
      ++changes_;
      ask("INVITE", {}, body);
    }
    return true;
  }
  if (!has_begun) return false;
  if (what == "cancel") {
    for (Asking& one : asking_) {
      if (one.method != "INVITE" || one.is_cancelled || !one.ack.empty() || has_sent_bye_) continue;
      if (one.final_status >= 300) continue;
      if (really) cancel(one);
      return true;
    }
    return false;
  }
  if (what == "ack") {
    Asking* const one = unacknowledged();
    if (one == nullptr) return false;
    if (really) acknowledge(*one);
    return true;
  }
  if (what == "prack") {
    Asking* const one = unpracked();
    if (one == nullptr) return false;
    if (really) prack(*one);
    return true;
  }
  if (what == "bye") {
    if (!has_dialog || has_sent_bye_) return false;
    if (called != nullptr && called->final_status == 0 && called->last.empty()) return false;
    if (called != nullptr && called->final_status >= 300) return false;
    if (calling != nullptr && calling->final_status >= 300) return false;
    if (really) {
      has_sent_bye_ = true;
      ask("BYE", {}, {});
    }
    return true;
  }
  if (what == "upd") {
    const bool is_open = std::any_of(asking_.begin(), asking_.end(), [](const Asking& one) {
      return one.method == "UPDATE" && one.final_status == 0;
    });
    const bool is_early = !is_up_ && settings_.has_rel100;
    if (!has_dialog || has_sent_bye_ || is_open || changes_ >= changes_max) return false;
    if (!is_up_ && !is_early) return false;
    if (called != nullptr && called->last.empty()) return false;
    if (called != nullptr && called->final_status >= 300) return false;
    if (calling != nullptr && calling->final_status >= 300) return false;
    if (really) {
      ++changes_;
      ask("UPDATE", {}, sdp());
    }
    return true;
  }
  if (what == "info" || what == "ref" || what == "rep" || what == "stale") {
    if (!is_up_ || !has_dialog || has_sent_bye_) return false;
    int& times = what == "info" ? infos_ : what == "stale" ? stales_ : refers_;
    if (times > 0) return false;
    if (what == "ref" && settings_.refer_to.empty()) return false;
    if (what == "rep" && (settings_.other_call == nullptr || !settings_.other_call->was_answered()))
      return false;
    if (!really) return true;
    ++times;
    if (what == "info") ask("INFO", {}, {});
    if (what == "ref") ask("REFER", "Refer-To: <" + settings_.refer_to + ">\r\n", {});
    if (what == "rep") {
      const Party& other = *settings_.other_call;
      std::string id = other.call_id();
      id.replace(id.find('@'), 1, "%40");
      ask("REFER",
          "Refer-To: <" + settings_.refer_to + "?Replaces=" + id + "%3Bto-tag%3D" +
              other.peer_tag() + "%3Bfrom-tag%3D" + other.own_tag() + ">\r\n",
          {});
    }
    if (what == "stale") {
      const std::uint32_t kept = std::exchange(cseq_, 0);
      ask("INFO", {}, {});
      cseq_ = kept;
    }
    return true;
  }
  if (what == "ask" || what == "back" || what == "two") {
    if (settings_.ask_for.empty() || !is_up_ || !has_dialog || has_sent_bye_) return false;
    int& times = what == "ask" ? asks_ : orders_;
    if (times > 0 || (what != "ask" && asks_ == 0)) return false;
    if (!really) return true;
    ++times;
    press(what == "ask" ? "*2" + settings_.ask_for + "#" : what == "back" ? "*0" : "*#");
    return true;
  }
  if (what == "dup") {
    if (last_sent_.empty() || repeats_ > 0) return false;
    if (really) {
      ++repeats_;
      send(last_sent_);
    }
    return true;
  }
  if (what == "ok" || what == "no" || what == "glare" || what == "gone") {
    Asked* const one = open_change();
    if (one == nullptr) return false;
    const int status = what == "ok" ? 200 : what == "no" ? 488 : what == "glare" ? 491 : 481;
    if (really) respond(*one, status, own_tag_, status == 200, false);
    return true;
  }
  // Responses to the INVITE.
  if (called == nullptr || has_sent_bye_) return false;
  const bool is_open = called->final_status == 0;
  const bool is_fork = what.ends_with('f');
  const bool is_reliable = what.ends_with('r');
  const int status = std::stoi(std::string(what.substr(0, 3)));
  if (is_reliable && (!called->request.supports_rel100 || !settings_.has_rel100)) return false;
  if (is_fork && (has_forked_ || (status == 183 && !is_open))) return false;
  const bool is_late = !is_open && status >= 200 && status < 300;
  if (status == 487 && !called->is_cancelled) return false;
  if (status == 401 && !settings_.challenges) return false;
  if (!is_open && !is_late) return false;
  // An answer again is what is repeated; after a refusal it breaks the rules.
  if (is_late && !is_fork && (called->final_status < 300 || has_forked_)) return false;
  if (called->is_cancelled && status >= 300 && status != 487) return false;
  if (really) {
    if (is_fork || is_late) has_forked_ = true;
    respond(*called, status, is_fork ? own_tag_ + "f" : own_tag_, status == 183 || (status == 200),
            is_reliable);
  }
  return true;
}

void Party::receive(const sim::RawDatagram& datagram) {
  if (is_off_) return;
  Packet packet = read_packet(datagram.bytes);
  if (to_lose_ > 0) {
    --to_lose_;
    history_ += "-" + packet.label() + "\n";
    return;
  }
  history_ += "<" + packet.label() + "\n";
  if (packet.is_request()) {
    take_request(std::move(packet));
  } else {
    take_response(std::move(packet));
  }
}

void Party::take_request(Packet packet) {
  if (packet.method == "ACK") return;
  for (Asked& one : asked_) {
    if (one.request.branch != packet.branch || one.request.method != packet.method) continue;
    if (!one.last.empty()) send(one.last);
    return;
  }
  if (packet.method == "CANCEL") {
    for (Asked& one : asked_) {
      if (one.request.branch == packet.branch && one.request.method == "INVITE")
        one.is_cancelled = true;
    }
  }
  const bool is_initial = packet.method == "INVITE" && packet.to_tag.empty();
  const Asked* const before = initial_asked();
  const bool is_again =
      before != nullptr && before->final_status == 401 && packet.call_id == call_id_;
  if (is_initial && before != nullptr && !is_again) {  // a second call is none of this party's
    Asked other{packet, {}, {}, 0, false, false, 0, false};
    respond(other, 486, own_tag_ + "o", false, false);
    asked_.push_back(other);
    return;
  }
  asked_.push_back({packet, own_tag_, {}, 0, false, is_initial, 0, false});
  if (is_initial) {
    call_id_ = packet.call_id;
    peer_tag_ = packet.from_tag;
    peer_ = packet.from.substr(0, packet.from.find(";tag="));
    own_ = packet.to;
    target_ = packet.contact;
    return;
  }
  if (packet.method == "INVITE" || packet.method == "UPDATE") {
    if (packet.method == "UPDATE" && !packet.has_sdp)
      respond(asked_.back(), 200, own_tag_, false, false);
    return;
  }
  if (packet.method == "BYE") has_got_bye_ = true;
  respond(asked_.back(), packet.method == "REFER" ? 202 : 200, own_tag_, false, false);
}

void Party::take_response(Packet packet) {
  for (Asking& one : asking_) {
    if (one.branch != packet.branch || one.method != packet.cseq_method) continue;
    if (one.is_initial && packet.status > 100 && packet.status < 300 && peer_tag_.empty())
      peer_tag_ = packet.to_tag;
    if (one.method == "INVITE" && packet.status > 100 && packet.status < 300 &&
        !packet.contact.empty())
      target_ = packet.contact;
    if (!packet.is_final()) {
      const bool is_new =
          packet.rseq != 0 && (one.reliable.empty() || packet.rseq == one.reliable.back().rseq + 1);
      if (is_new) one.reliable.push_back(packet);
      return;
    }
    const bool is_first = one.final_status == 0;
    if (is_first) one.final_status = packet.status;
    if (one.method != "INVITE") return;
    if (packet.status >= 300) {
      std::string ack = "ACK" + one.raw.substr(6, one.raw.find("\r\n") - 6) +
                        "\r\nVia: " + header_value(one.raw, "Via") +
                        "\r\nMax-Forwards: 70\r\nFrom: " + packet.from + "\r\nTo: " + packet.to +
                        "\r\nCall-ID: " + call_id_ + "\r\nCSeq: " + std::to_string(one.cseq) +
                        " ACK\r\nContent-Length: 0\r\n\r\n";
      send(ack);
      return;
    }
    if (is_first) {
      one.answer = packet;
      if (one.is_initial) is_up_ = true;
    } else if (!one.ack.empty()) {
      send(one.ack);
    }
    return;
  }
}

bool Party::settle(bool may_hang_up) {
  if (is_off_) return false;
  if (Asking* const one = unacknowledged()) {
    acknowledge(*one);
    return true;
  }
  Asking* const calling = initial_asking();
  if (Asking* const one = unpracked();
      one != nullptr && one->final_status == 0 && !one->is_cancelled) {
    prack(*one);
    return true;
  }
  if (Asked* const one = open_change()) {
    const int status = one->is_cancelled ? 487 : 200;
    respond(*one, status, own_tag_, status == 200, false);
    return true;
  }
  if (Asked* const called = initial_asked(); called != nullptr && called->final_status == 0) {
    respond(*called, called->is_cancelled || has_sent_bye_ ? 487 : 480, own_tag_, false, false);
    return true;
  }
  if (may_hang_up && is_calling() && is_up_ && !has_sent_bye_ && !has_got_bye_ &&
      calling != nullptr) {
    has_sent_bye_ = true;
    ask("BYE", {}, {});
    return true;
  }
  return false;
}

}  // namespace tandem::races
