// A dialog as user agent server: from the arrival of an INVITE to its final response.
#include <string>

#include "sip/contact.hpp"
#include "sip/content.hpp"
#include "sip/dialog.hpp"
#include "sip/transport.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

/// RFC 3261 section 12.1.1. `routes`: as collect_routes() gives them.
bool wants_secure_contact(const Message& invite, const Path& from, std::string_view routes) {
  if (!is_over_tls(from.transport)) return false;
  if (is_secure(invite.request_uri)) return true;
  if (routes.empty()) return is_secure(invite.contact.uri);
  NameAddress top;
  return parse_name_address(routes.substr(0, routes.find('\n')), top) && is_secure(top.uri);
}

}  // namespace

std::unique_ptr<Leg> Dialog::accept(const Message& invite, ServerTransaction& transaction) {
  BufferPool& buffers = worker_.buffers();
  const Token::Text own_tag = tag();
  invite_server_ = &transaction;
  is_arriving_ = true;
  path_ = transaction.path();
  remote_cseq_ = invite.cseq;
  was_offerless_ = invite.body.empty();
  arrival_ = std::make_unique<Arrival>();
  arrival_->timer = read_timer_offer(invite);
  arrival_->reliable = read_reliable_offer(invite);
  for (std::size_t i = 0; i < invite.header_count; ++i) {
    const Header& header = invite.headers[i];
    if (header.id == HeaderId::require && list_has(header.value, "replaces"))
      requires_replaces_ = true;
  }
  call_id_.assign(buffers, invite.call_id);
  remote_.assign(buffers, invite.from.value);
  remote_tag_.assign(buffers, invite.from.tag);
  std::string local(invite.to.value);
  local += ";tag=";
  local += sip::view(own_tag);
  local_.assign(buffers, local);
  set_target(invite);
  set_product(invite, HeaderId::user_agent);
  std::string text;
  collect_routes(invite, false, text);
  routes_.assign(buffers, text);
  Unescaped unescaped;
  set_contact(uri_user(invite.request_uri, unescaped), wants_secure_contact(invite, path_, text));

  MessageWriter writer(worker_.scratch(), StackWorker::head_bytes_max);
  ResponseHead head;
  head.to_tag = sip::view(own_tag);
  head.source = path_.remote;
  head.record_route = true;
  const std::string load = worker_.load_for(invite);
  head.overload = load;
  write_response_head(writer, invite, head);
  const std::string_view written = writer.view();
  transaction.set_head(written.substr(written.find('\n') + 1));

  // Credentials are looked at only when the user asks; then the message is gone.
  if (invite.find(HeaderId::authorization) != nullptr) {
    text.assign(invite.request_uri);
    for (std::size_t i = 0; i < invite.header_count; ++i) {
      if (invite.headers[i].id != HeaderId::authorization) continue;
      text += '\n';
      for (const char c : invite.headers[i].value)
        text += c == '\r' || c == '\n' ? ' ' : c;
    }
    arrival_->authorization.assign(buffers, text);
  }
  auto leg = std::make_unique<SipLeg>(*this);
  leg_ = leg.get();
  return leg;
}

void Dialog::finish_arrival() {
  const Entry entry(*this);
  is_arriving_ = false;
  // Not before the receiver has looked at the call: it may refuse at once, or not want to answer at
  // all.
  if (state_ == State::early && !has_progress_) respond(*invite_server_, 100);
}

AuthResult Dialog::authenticate(const Credentials& credentials) {
  const Entry entry(*this);
  if (role_ != Role::inbound || state_ != State::early) return AuthResult::failed;
  const std::string binding = path_.remote.ip.to_string();
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  DigestVerdict verdict = DigestVerdict::challenge;
  std::string_view lines = arrival_->authorization.view();
  DigestServer::Request request;
  request.method = "INVITE";
  request.binding = binding;
  request.now_us = now_us;
  request.uri = lines.substr(0, lines.find('\n'));
  lines.remove_prefix(std::min(request.uri.size() + 1, lines.size()));
  while (!lines.empty()) {
    request.authorization = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(request.authorization.size() + 1, lines.size()));
    NonceUse use;
    DigestVerdict one = worker_.digest().verify(request, credentials.username, credentials.password,
                                                credentials.realm, &use);
    if (one == DigestVerdict::verified && credentials.nonces != nullptr &&
        !credentials.nonces->use(use)) {
      one = DigestVerdict::stale;
    }
    if (one == DigestVerdict::verified) return AuthResult::verified;
    if (one == DigestVerdict::wrong) verdict = one;
    if (one == DigestVerdict::stale && verdict == DigestVerdict::challenge) verdict = one;
  }
  if (verdict == DigestVerdict::wrong) return AuthResult::failed;
  if (!credentials.may_challenge) return AuthResult::exhausted;
  const bool is_stale = verdict == DigestVerdict::stale;
  Draft draft = begin_response(*invite_server_, 401);
  for (const DigestAlgorithm algorithm : worker_.challenge_algorithms()) {
    draft.writer.header(
        "WWW-Authenticate",
        worker_.digest().challenge(credentials.realm, binding, now_us, is_stale, algorithm));
  }
  finish_response(*invite_server_, 401, draft, {});
  invite_server_ = nullptr;
  state_ = State::over;
  is_silent_ = true;
  return AuthResult::challenged;
}

int Dialog::set_manners(const Manners& manners) {
  const Entry entry(*this);
  if (role_ != Role::inbound || state_ != State::early) return 0;
  uses_reason_ = manners.uses_reason;
  rel100_ = manners.rel100;
  reply_address_ = manners.reply_address;
  request_address_ = manners.request_address;
  if (reply_address_ != ReplyAddress::socket) answer_over(*invite_server_, arriving_via());
  if (path_.transport == Transport::tls) path_.tls_peer = worker_.tls_peer(manners.tls);
  const SessionWatch& watch = manners.watch;
  const auto refused = [this](std::int16_t status, std::string_view line) {
    arrival_->unmannerly_line = line;
    return arrival_->unmannerly_status = status;
  };
  // RFC 3261 sections 21.4.15 and 21.4.16, RFC 4028 section 9.
  const auto lacks = [](ExtensionUse use, bool is_required) {
    return use == ExtensionUse::off && is_required;
  };
  takes_replaces_ = manners.takes_replaces;
  if (requires_replaces_ && !takes_replaces_) return refused(420, "Unsupported: replaces");
  if (takes_replaces_ && arrival_->has_bad_replaces) return refused(400, {});
  const bool lacks_timer = lacks(watch.mode, arrival_->timer.is_required);
  const bool lacks_rel100 = lacks(rel100_, arrival_->reliable.is_required);
  if (lacks_timer || lacks_rel100) {
    return refused(420, !lacks_rel100  ? "Unsupported: timer"
                        : !lacks_timer ? "Unsupported: 100rel"
                                       : "Unsupported: timer, 100rel");
  }
  if (watch.mode == ExtensionUse::require && !arrival_->timer.is_supported)
    return refused(421, "Require: timer");
  if (rel100_ == ExtensionUse::require && !arrival_->reliable.is_supported)
    return refused(421, "Require: 100rel");
  if (watch.mode != ExtensionUse::off) {
    if (is_too_short(arrival_->timer)) return refused(422, least_session_line);
    session_ = std::make_unique<Session>(*this, watch);
    session_->peer_has_update = arrival_->timer.has_update;
  }
  if (rel100_ != ExtensionUse::off && arrival_->reliable.is_supported) {
    reliability_ = std::make_unique<Reliability>(*this);
    reliability_->invite_cseq = invite_server_->cseq();
    reliability_->peer_has_update = arrival_->timer.has_update;
  }
  return 0;
}

/// The top Via of the INVITE that waits for its response, as its responses repeat it: the message
/// itself is gone.
Via Dialog::arriving_via() const noexcept {
  constexpr std::string_view name = "Via: ";
  std::string_view line = invite_server_->head();
  line = line.substr(0, line.find("\r\n"));
  Via via;
  if (!line.starts_with(name)) return via;
  line.remove_prefix(name.size());
  (void)parse_via(next_element(line), via);
  return via;
}

std::string Dialog::claimed_user(std::string_view realm) const {
  if (arrival_ == nullptr) return {};
  std::string_view lines = arrival_->authorization.view();
  if (lines.empty()) return {};
  lines.remove_prefix(std::min(lines.find('\n'), lines.size() - 1) + 1);
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    auto value = parse_digest(line);
    if (value && (realm.empty() || value->realm == realm)) return std::move(value->username);
  }
  return {};
}

void Dialog::progress(int status, const SessionBody& body) {
  const Entry entry(*this);
  if (role_ != Role::inbound || state_ != State::early || status <= 100 || status > 199) return;
  // The first reliable response to an INVITE without an offer has to bring one (RFC 3262
  // section 5): until there is one, what rings is said as to everybody, or not at all.
  const bool lacks_offer = reliability_ != nullptr && was_offerless_ &&
                           reliability_->description.empty() && (body.empty() || !is_sdp(body));
  if (lacks_offer && arrival_->reliable.is_required) return;
  has_progress_ = true;
  if (reliability_ != nullptr && !lacks_offer) return progress_reliably(status, body);
  Draft draft = begin_response(*invite_server_, status);
  draft.writer.header("Contact", contact_.view());
  draft.writer.line(allowed());
  finish_response(*invite_server_, status, draft, body);
}

void Dialog::answer(const SessionBody& body, const std::vector<PassedHeader>& headers) {
  const Entry entry(*this);
  if (role_ != Role::inbound || state_ != State::early || awaits_acknowledgement()) return;
  stop_provisionals();
  Draft draft = begin_response(*invite_server_, 200);
  draft.writer.header("Contact", contact_.view());
  draft.writer.line(allowed());
  if (takes_replaces_) draft.writer.line(replaces_line);
  if (session_ != nullptr) answer_session(draft.writer, arrival_->timer);
  write_passed_headers(draft.writer, headers);
  state_ = State::answered;
  arrival_.reset();
  keep_description(body);
  // What was said reliably is not said again (RFC 6337 section 2.2).
  const bool is_said =
      reliability_ != nullptr && !body.empty() && body.bytes == reliability_->description.view();
  finish_response(*invite_server_, 200, draft, is_said ? SessionBody{} : body);
  if (invite_server_->state() == ServerTransaction::State::accepted) return;
  // The answer could not be written and became a 500.
  invite_server_ = nullptr;
  state_ = State::confirmed;
  release_unwritten_ = true;
  defer();
}

void Dialog::reject(const Refusal& refusal) {
  const Entry entry(*this);
  const int status = refusal.status;
  if (role_ != Role::inbound || state_ != State::early || status < 300 || status > 699) return;
  end_early_session();
  Draft draft = begin_response(*invite_server_, status);
  if (uses_reason_) write_reason(draft.writer, refusal.q850_cause);
  if (refusal.retry_after_s > 0)
    draft.writer.header("Retry-After", static_cast<std::uint64_t>(refusal.retry_after_s));
  if (status == arrival_->unmannerly_status && !arrival_->unmannerly_line.empty())
    draft.writer.line(arrival_->unmannerly_line);
  write_passed_headers(draft.writer, refusal.headers);
  finish_response(*invite_server_, status, draft, {});
  invite_server_ = nullptr;
  state_ = State::over;
}

void Dialog::drop() {
  const Entry entry(*this);
  if (role_ != Role::inbound || state_ != State::early) return;
  end_early_session();
  invite_server_->drop();
  invite_server_ = nullptr;
  state_ = State::over;
}

void Dialog::on_cancel(const Message& cancel, const ServerTransaction& transaction) {
  const Entry entry(*this);
  if (&transaction == reoffer_server_) {
    // Legs have no word for this: the other side's part goes on, and its result finds nobody.
    respond(*std::exchange(reoffer_server_, nullptr), 487);
    is_reoffer_cancelled_ = true;
    return;
  }
  // After a final response a CANCEL changes nothing (RFC 3261 section 9.2).
  if (role_ != Role::inbound || state_ != State::early) return;
  reject({487, 0, 0, {}});
  Release release;
  if (const int cause = heard_cause(cancel); cause > 0) release.q850_cause = cause;
  if (LegEvents* user = events()) user->on_cancel(*leg_, release);
}

}  // namespace tandem::sip
