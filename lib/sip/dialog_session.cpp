// What a dialog does about session timers (RFC 4028, P-18).
#include <algorithm>
#include <limits>

#include "sip/content.hpp"
#include "sip/dialog.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::uint8_t corrections_max = 2;  // intervals of one session that the peer may refuse

}  // namespace

void Dialog::write_session(MessageWriter& writer) const noexcept {
  if (session_ == nullptr) return;
  const TimerAgreement& agreement = session_->agreement;
  write_timer_request(writer, session_->watch, agreement.interval_s == 0 ? nullptr : &agreement,
                      session_->least_s);
}

void Dialog::agree_on_session(const Message& response) {
  if (session_ == nullptr) return;
  const TimerOffer offer = read_timer_offer(response);
  const std::uint32_t asked_s = session_->agreement.interval_s != 0
                                    ? session_->agreement.interval_s
                                    : static_cast<std::uint32_t>(session_->watch.interval_s);
  session_->agreement = agree_as_client(std::max(asked_s, session_->least_s), offer);
  session_->peer_has_update = session_->peer_has_update || offer.has_update;
  session_->corrections = 0;
  start_session();
}

void Dialog::answer_session(MessageWriter& writer, const TimerOffer& offer) {
  if (session_ == nullptr) return;
  session_->agreement = agree_as_server(session_->watch, offer);
  session_->peer_has_update = session_->peer_has_update || offer.has_update;
  write_timer_response(writer, session_->agreement);
  start_session();
}

/// The session is known to be alive: it is watched from now on.
void Dialog::start_session() {
  Session& session = *session_;
  const std::int64_t gives_up_us = give_up_after_us(session.watch, session.agreement);
  session.gives_up_at_us = worker_.loop().clock().monotonic_us() + gives_up_us;
  start_session_timer(session.agreement.is_refresher
                          ? refresh_after_us(session.watch, session.agreement)
                          : gives_up_us);
}

void Dialog::start_session_timer(std::int64_t delay_us) {
  Session& session = *session_;
  const std::int64_t left_us =
      std::max<std::int64_t>(session.gives_up_at_us - worker_.loop().clock().monotonic_us(), 0);
  session.is_at_end = delay_us >= left_us;
  worker_.loop().timers().start(session.timer, std::min(delay_us, left_us));
}

/// A re-INVITE without change needs what was said last (RFC 4028 section 7.4).
bool Dialog::needs_description(const SessionBody& body) const noexcept {
  return session_ != nullptr && !session_->peer_has_update && is_sdp(body) && !body.empty();
}

void Dialog::keep_description(const SessionBody& body) {
  if (needs_description(body)) session_->description.assign(worker_.buffers(), body.bytes);
}

void Dialog::keep_sent_description(const ClientTransaction& transaction) {
  if (session_ == nullptr || session_->peer_has_update) return;
  Message& own = worker_.own_message();
  if (scan(transaction.message(), Framing::datagram, own).kind == Fault::Kind::none)
    keep_description(session_body(own));
}

ClientTransaction* Dialog::retry_with_interval(ClientTransaction& transaction,
                                               const Message& response) {
  if (session_ == nullptr || session_->corrections >= corrections_max) return nullptr;
  const std::uint32_t least_s = read_timer_offer(response).least_s;
  if (least_s <= session_->least_s) return nullptr;
  Message& own = worker_.own_message();
  if (scan(transaction.message(), Framing::datagram, own).kind != Fault::Kind::none) return nullptr;
  ++session_->corrections;
  session_->least_s = least_s;
  forget_challenges();
  const bool is_first = transaction.method() == Method::invite && state_ == State::early;
  return repeat(transaction, own, is_first ? authorization() : std::string_view());
}

void Dialog::on_session_timer() {
  const Entry entry(*this);
  if (state_ != State::answered && state_ != State::confirmed) return;
  if (session_->is_at_end) return lose(102, Loss::silence);
  refresh_session();
}

void Dialog::refresh_session() {
  Session& session = *session_;
  const bool is_busy = reoffer_client_ != nullptr || reoffer_server_ != nullptr ||
                       invite_server_ != nullptr || unacknowledged_.slot != Token::no_slot ||
                       state_ != State::confirmed;
  // Whatever is under way refreshes the session too, or is over soon.
  if (is_busy) return start_session_timer(2 * second_us);
  // Without a description of a session there is nothing to ask with, and no ground to hang up.
  if (!session.peer_has_update && session.description.empty()) return start_session();
  static const std::vector<PassedHeader> none;
  if (session.peer_has_update) {
    reoffer_client_ = send_request(Method::update, "UPDATE", {}, none, 0);
  } else {
    has_offer_ = true;
    reoffer_client_ = send_request(Method::invite, "INVITE",
                                   {"application/sdp", session.description.view()}, none, 0);
  }
  session.is_refreshing = reoffer_client_ != nullptr;
  start_session_timer(std::numeric_limits<std::int64_t>::max());
}

/// The final response to a refresh. After a 2xx the session has been agreed on again by then.
void Dialog::finish_refresh(const ClientTransaction& transaction, const Message& response) {
  const int status = response.status;
  if (status < 300) {
    // The answer to a re-INVITE may say that media is to go elsewhere now.
    const SessionBody body = session_body(response);
    if (LegEvents* user = events(); user != nullptr && transaction.method() == Method::invite)
      user->on_reoffer_result(*leg_, status, body);
    return;
  }
  if (status == 481 || status == 408) return lose(status == 481 ? 31 : 102, Loss::silence);
  // Whoever refuses is there. Where it waits to be refreshed it is asked again soon, after a glare
  // as RFC 3261 section 14.1 wants it.
  start_session();
  if (!session_->agreement.is_mutual) return;
  start_session_timer(status == 491
                          ? 2'100'000 + static_cast<std::int64_t>(worker_.random().below(1'900'000))
                          : 10 * second_us);
}

}  // namespace tandem::sip
