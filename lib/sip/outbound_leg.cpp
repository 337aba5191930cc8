// A dialog as user agent client: from the first INVITE to its final response.
#include <algorithm>
#include <memory>
#include <string>

#include "sip/contact.hpp"
#include "sip/content.hpp"
#include "sip/dialog.hpp"
#include "sip/overload.hpp"
#include "sip/portability.hpp"
#include "sip/reason.hpp"
#include "sip/transport.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

std::string host_text(const IpAddress& ip) {
  return ip.is_ipv6() ? "[" + ip.to_string() + "]" : ip.to_string();
}

// RFC 3323 section 4.1.1.3.
constexpr std::string_view hidden_caller = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// The caller as a name-addr.
void append_identity(const OutboundCall& call, std::string_view own_host, std::string& text) {
  append_display(call.caller_display, text);
  text += "<sip:";
  append_user(call.caller, text);
  if (!call.caller.empty()) text += '@';
  text += call.domain.empty() ? own_host : call.domain;
  if (call.is_telephone_number) text += ";user=phone";
  text += '>';
}

/// The headers of P-09: RFC 3323, RFC 3325, and Remote-Party-ID as SIP networks use it.
void write_presentation(MessageWriter& writer, const Presentation& presentation,
                        std::string_view identity) {
  if (!presentation.privacy.empty()) writer.copy("Privacy", presentation.privacy);
  if (presentation.has_asserted) writer.header("P-Asserted-Identity", identity);
  if (presentation.has_preferred) writer.header("P-Preferred-Identity", identity);
  if (!presentation.has_remote_party) return;
  const bool is_private =
      presentation.is_hidden || !(presentation.privacy.empty() || presentation.privacy == "none");
  writer.header("Remote-Party-ID",
                {identity, ";party=calling;screen=yes;privacy=", is_private ? "full" : "off"});
}

/// 32 random hexadecimal digits: a Call-ID that says nothing of the other leg or of this host.
std::string new_call_id(Random& random) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(32);
  for (int half = 0; half < 2; ++half) {
    const std::uint64_t number = random.next();
    for (int i = 0; i < 16; ++i)
      text += digits[(number >> (4 * i)) & 15];
  }
  return text;
}

}  // namespace

std::unique_ptr<Leg> Dialog::call(const OutboundCall& call, LegEvents& events) {
  auto leg = std::make_unique<SipLeg>(*this);
  leg_ = leg.get();
  events_ = &events;
  BufferPool& buffers = worker_.buffers();
  const std::string call_id = new_call_id(worker_.random());
  call_id_.assign(buffers, call_id);
  const Transport transport = transport_of(call.transport).value_or(Transport::udp);
  auto path = worker_.transports().path_to(transport, call.destination, call.local);
  if (!path || worker_.is_full(false)) {
    path_.remote = call.destination;
    deferred_status_ = 503;
    is_deferred_transport_ = !path;
    defer();
    return leg;
  }
  path_ = *path;
  path_.fallback_port = call.destination.port;
  if (path_.is_stream()) path_.connection = {call.flow.worker, call.flow.serial};
  if (transport == Transport::tls) path_.tls_peer = worker_.tls_peer(call.manners.tls);

  uses_reason_ = call.manners.uses_reason;
  asks_for_load_ = call.manners.asks_for_load;
  reply_address_ = call.manners.reply_address;
  request_address_ = call.manners.request_address;
  if (call.manners.watch.mode != SessionWatch::Mode::off)
    session_ = std::make_unique<Session>(*this, call.manners.watch);
  takes_replaces_ = call.manners.takes_replaces;
  rel100_ = call.manners.rel100;
  if (rel100_ != ExtensionUse::off) reliability_ = std::make_unique<Reliability>(*this);

  const Token::Text own_tag = tag();
  std::string identity;  // of the caller, as headers beside From show it
  append_identity(call, worker_.transports().advertised_host(path_), identity);
  std::string text = call.presentation.is_hidden ? std::string(hidden_caller) : identity;
  text += ";tag=";
  text += sip::view(own_tag);
  local_.assign(buffers, text);
  text = "<sip:";
  append_user(call.callee, text);
  if (!call.callee.empty()) text += '@';
  if (call.peer_name.empty()) {
    text += host_text(call.destination.ip);
  } else {  // a port says nothing of who is called
    text += call.peer_name.substr(0, call.peer_name.find(':'));
  }
  if (call.is_telephone_number) text += ";user=phone";
  text += '>';
  remote_.assign(buffers, text);
  if (call.request_uri.empty()) {
    text = "sip:";
    append_user(call.callee, text);
    const bool is_telephone_number = append_portability(call.portability, text);
    if (!call.callee.empty()) text += '@';
    if (!call.contact_place.empty()) {
      text += call.contact_place;
    } else {
      text += call.peer_name.empty() ? call.destination.to_string() : std::string(call.peer_name);
      text += transport_param(transport);
    }
    // Only this makes the user part a number with parameters (RFC 3261 section 19.1.1).
    if (is_telephone_number || call.is_telephone_number) text += ";user=phone";
  } else {
    text = call.request_uri;
  }
  target_.assign(buffers, text);
  routes_.assign(buffers, call.routes);  // until the dialog has a route set of its own
  set_contact(call.presentation.is_hidden ? std::string_view("anonymous") : call.caller,
              is_over_tls(transport) && is_secure(target_.view()));
  if (!call.auth_username.empty()) {
    login_ = std::make_unique<Login>();
    login_->username.assign(buffers, call.auth_username);
    login_->password.assign(buffers, call.auth_password);
    login_->challenges_max =
        static_cast<std::uint8_t>(std::clamp(call.manners.auth_rounds, 0, 255));
    login_->time_us = call.manners.auth_time_us;
  }
  has_offer_ = !call.body.empty();

  ClientTransaction& transaction = worker_.transactions().create_client(Method::invite, this);
  const BranchText branch = transaction.branch();
  MessageWriter writer = begin_request("INVITE", ++local_cseq_, path_, branch.view(),
                                       std::clamp(call.max_forwards, 0, 255));
  writer.header("Contact", contact_.view());
  writer.line(allowed());
  writer.line(accept_line);
  write_session(writer);
  write_rel100(writer);
  if (takes_replaces_) writer.line(replaces_line);
  if (!call.replaces.empty()) writer.copy("Replaces", call.replaces);
  if (call.requires_replaces) writer.line("Require: replaces");
  write_presentation(writer, call.presentation, identity);
  write_passed_headers(writer, call.headers);
  writer.finish(call.body.content_type, call.body.bytes);
  if (!writer.ok()) {
    worker_.transactions().discard(transaction);
    deferred_status_ = 500;
    defer();
    return leg;
  }
  invite_client_ = &transaction;
  transaction.start(path_, local_cseq_, writer.view());
  path_ = transaction.path();  // with the connection that was used
  return leg;
}

void Dialog::on_invite_response(ClientTransaction& transaction, const Message& response,
                                const Path& from) {
  (void)from;
  const int status = response.status;
  if (asks_for_load_ && response.via_count > 0) {
    const auto load = overload_feedback(response.vias[0]);
    if (LegEvents* user = load ? events() : nullptr) user->on_load(*leg_, *load);
  }
  if (status < 200) {
    if (state_ == State::cancelled) {
      transaction.cancel(cancel_reason());
      return;
    }
    if (status > 100 && product_.empty()) set_product(response, HeaderId::server);
    // By which others name it before the answer; of a fork, that of the first branch.
    if (takes_replaces_ && status > 100 && remote_tag_.empty())
      remote_tag_.assign(worker_.buffers(), response.to.tag);
    Progress progress;
    progress.status = status;
    progress.body = session_body(response);
    if (is_sent_reliably(response) && !take_provisional(transaction, response, progress)) return;
    if (LegEvents* user = events()) user->on_progress(*leg_, progress);
    return;
  }
  invite_client_ = nullptr;
  if (status < 300) {
    BufferPool& buffers = worker_.buffers();
    leave_other_branches(response);
    remote_.assign(buffers, response.to.value);
    remote_tag_.assign(buffers, response.to.tag);
    set_target(response);
    set_product(response, HeaderId::server);
    agree_on_session(response);
    keep_sent_description(transaction);
    std::string routes;
    collect_routes(response, true, routes);
    routes_.assign(buffers, routes);
    if (state_ == State::cancelled) {
      // The answer overtook our CANCEL (P-24).
      send_ack(transaction, {});
      end_early_session();
      LegEvents* user = events();
      is_silent_ = true;
      send_bye(release_cause_);
      Failure failure;
      failure.status = 487;
      if (user != nullptr) user->on_failure(*leg_, failure);
      return;
    }
    if (has_offer_) {
      send_ack(transaction, {});
      state_ = State::confirmed;
    } else {
      unacknowledged_ = transaction.token();
      state_ = State::answered;
    }
    Answer answer;
    answer.body = session_body(response);
    if (answer.body.empty()) answer.body = described_by(response.to.tag);
    answer.product = product_.view();
    answer.remote = path_.remote;
    collect_passed_headers(response, answer.headers);
    if (LegEvents* user = events()) user->on_answer(*leg_, answer);
    return;
  }
  if (state_ == State::early) {
    if (status == 401 || status == 407) {
      invite_client_ = retry_with_credentials(transaction, response);
    } else if (status == 422) {
      invite_client_ = retry_with_interval(transaction, response);
    }
    if (invite_client_ != nullptr) {
      restart_branches();
      return;
    }
  }
  if (product_.empty()) set_product(response, HeaderId::server);
  Failure failure;
  failure.status = state_ == State::cancelled ? 487 : status;
  failure.q850_cause = heard_cause(response);
  failure.retry_after_s = retry_after_s(response);
  failure.reason_phrase = response.reason_phrase;
  failure.targets = redirect_targets(
      response, is_over_tls(path_.transport) ? SipTransport::tls : SipTransport::udp);
  collect_passed_headers(response, failure.headers);
  fail(failure);
}

void Dialog::cancel() {
  const Entry entry(*this);
  if (role_ != Role::outbound || state_ != State::early) return;
  if (invite_client_ == nullptr) {
    // It failed before it began; the user is told so, or leaves before that.
    if (deferred_status_ != 0) deferred_status_ = 487;
    return;
  }
  state_ = State::cancelled;
  // Without a provisional response CANCEL must wait for one (RFC 3261 section 9.1).
  invite_client_->cancel(cancel_reason());
}

std::string Dialog::cancel_reason() const {
  if (release_cause_ == 0 || !uses_reason_) return {};
  if (release_cause_ == answered_elsewhere) return std::string(elsewhere_reason);
  const std::string_view text = q850_text(release_cause_);
  const std::string cause = "Q.850;cause=" + std::to_string(release_cause_);
  return text.empty() ? cause : cause + ";text=\"" + std::string(text) + '"';
}

void StackWorker::on_fork(ClientTransaction& transaction, const Message& response, bool is_new) {
  // Everything that is needed stands in the response, so this works after the dialog has gone.
  // But the way inside a dialog is that of its requests: such responses need not repeat it (RFC
  // 3261 section 12.2).
  std::string routes;
  const auto request = std::make_unique<Message>();
  if (!transaction.is_within_dialog()) {
    collect_routes(response, true, routes);
  } else if (scan(transaction.message(), Framing::datagram, *request).kind == Fault::Kind::none) {
    collect_routes(*request, false, routes, HeaderId::route);
  }
  const DialogHead head{response.contact.uri.empty() ? response.to.uri : response.contact.uri,
                        response.from.value, response.to.value, response.call_id, routes};
  Path path = dialog_path(*this, routes, transaction.path());
  const BranchText branch =
      branch_text({static_cast<std::uint8_t>(index_), Token::no_slot, random_.next()});
  MessageWriter ack(scratch(), scratch_bytes);
  write_dialog_request(ack, *this, head, "ACK", transaction.cseq(), path, branch.view());
  ack.finish();
  if (!ack.ok()) return;
  (void)send(path, ack.view());  // lost: the 2xx comes again
  if (!is_new) return;
  ClientTransaction& bye = transactions_.create_client(Method::bye, nullptr);
  const BranchText bye_branch = bye.branch();
  MessageWriter writer(scratch(), scratch_bytes);
  // Behind whatever was said in that dialog before the answer.
  const std::uint32_t bye_cseq = transaction.last_cseq() + 1;
  write_dialog_request(writer, *this, head, "BYE", bye_cseq, path, bye_branch.view());
  writer.finish();
  if (writer.ok()) {
    bye.start(path, bye_cseq, writer.view());
  } else {
    transactions_.discard(bye);
  }
}

}  // namespace tandem::sip
