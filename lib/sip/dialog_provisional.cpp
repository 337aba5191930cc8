// What a dialog does about reliable provisional responses (RFC 3262, P-17).
#include <algorithm>
#include <string>

#include "sip/content.hpp"
#include "sip/dialog.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

// More than any sensible callee says before it answers; what comes beyond is dropped and counted.
constexpr std::size_t waiting_max = 8;
constexpr std::size_t branches_max = 8;
constexpr std::size_t pracks_max = 16;  // under way; further responses have to come again

}  // namespace

// Inbound: responses that we send.

/// One at a time: further ones wait for the acknowledgement of the one before (RFC 3262 section 3).
void Dialog::progress_reliably(int status, const SessionBody& body) {
  Reliability& r = *reliability_;
  if (!r.is_unacknowledged) return send_provisional(status, body);
  if (r.waiting.size() >= waiting_max) {
    bump(worker_.counters().provisionals_dropped);
    return;
  }
  // Of several descriptions only the first is sent.
  const bool is_described = !r.description.empty() ||
                            std::any_of(r.waiting.begin(), r.waiting.end(),
                                        [](const Provisional& one) { return !one.body.empty(); });
  const SessionBody kept = is_described ? SessionBody{} : body;
  r.waiting.push_back({status, std::string(kept.content_type), std::string(kept.bytes)});
}

void Dialog::send_provisional(int status, const SessionBody& body) {
  Reliability& r = *reliability_;
  // What was described stays until the answer, but for an UPDATE (RFC 3262 section 5).
  const bool is_described = !r.description.empty();
  const SessionBody sent = is_described ? SessionBody{} : body;
  const bool is_describing = is_sdp(sent) && !sent.empty();
  const std::uint32_t rseq =
      r.rseq == 0 ? 1 + static_cast<std::uint32_t>(worker_.random().below(first_rseq_max))
                  : r.rseq + 1;
  Draft draft = begin_response(*invite_server_, status);
  draft.writer.header("Contact", contact_.view());
  draft.writer.line(allowed());
  draft.writer.line("Require: 100rel");
  draft.writer.header("RSeq", std::uint64_t{rseq});
  if (!finish_response(*invite_server_, status, draft, sent)) return;
  r.rseq = rseq;
  r.is_unacknowledged = true;
  r.is_describing = is_describing;
  r.is_offering = is_describing && was_offerless_;
  if (is_describing) {
    r.description.assign(worker_.buffers(), sent.bytes);
    r.held.assign(worker_.buffers(), sent.bytes);
  }
  const Timing& timing = worker_.transactions().timing();
  r.interval_us = timing.t1_us;
  r.gives_up_at_us = worker_.loop().clock().monotonic_us() + timing.timeout_us();
  worker_.loop().timers().start(r.timer, r.interval_us);
}

void Dialog::send_next_provisional() {
  Reliability& r = *reliability_;
  if (state_ != State::early || r.is_unacknowledged || r.waiting.empty()) return;
  const Provisional next = std::move(r.waiting.front());
  r.waiting.erase(r.waiting.begin());
  send_provisional(next.status, {next.content_type, next.body});
}

/// Over every transport, doubling without an upper limit, as RFC 3262 section 3 has it.
void Dialog::on_provisional_timer() {
  const Entry entry(*this);
  Reliability& r = *reliability_;
  if (state_ != State::early || !r.is_unacknowledged) return;
  const std::int64_t left_us = r.gives_up_at_us - worker_.loop().clock().monotonic_us();
  if (left_us > 0) {
    invite_server_->repeat_provisional();
    r.interval_us *= 2;
    worker_.loop().timers().start(r.timer, std::min(r.interval_us, left_us));
    return;
  }
  Release release;
  release.q850_cause = 102;  // recovery on timer expiry
  release.is_transport = true;
  reject({504, release.q850_cause, 0, {}});
  if (LegEvents* user = events()) user->on_cancel(*leg_, release);
}

void Dialog::stop_provisionals() {
  if (reliability_ == nullptr) return;
  // A PRACK for the last one may still come after the answer, and is welcome.
  reliability_->timer.cancel();
  reliability_->waiting.clear();
}

void Dialog::end_early_session() {
  stop_provisionals();
  if (reliability_ == nullptr) return;
  let_go(reoffer_client_, {});
  answer_pending();
}

bool Dialog::may_change_early_session() const noexcept {
  return state_ == State::early && reliability_ != nullptr && reliability_->has_session &&
         !reliability_->is_unacknowledged;
}

void Dialog::on_prack(const Message& request, const Path& from) {
  const Header* header = request.find(HeaderId::rack);
  Rack rack;
  if (header == nullptr || !parse_rack(header->value, rack)) return refuse(request, from, 400);
  Reliability* r = reliability_.get();
  const bool is_meant = role_ == Role::inbound && r != nullptr && r->is_unacknowledged &&
                        rack.rseq == r->rseq && rack.cseq == r->invite_cseq &&
                        rack.method == method_name(Method::invite);
  if (!is_meant) return refuse(request, from, 481);
  const SessionBody body = session_body(request);
  if (!body.empty() && !is_sdp(body)) return refuse(request, from, 415, accept_line);
  // Repeated until it brings what the offer in the response waits for (RFC 3262 section 5).
  if (r->is_offering && body.empty()) return refuse(request, from, 400);
  const bool is_offer = !body.empty() && !r->is_offering;
  r->is_unacknowledged = false;
  r->timer.cancel();
  r->has_session = r->has_session || r->is_describing;
  if (r->is_offering) was_offerless_ = false;
  r->is_offering = r->is_describing = false;
  ServerTransaction& transaction = open_server(request, from);
  if (is_offer) {
    take_prack_offer(transaction, body);
  } else {
    respond(transaction, 200);
  }
  if (state_ != State::early) return;
  if (LegEvents* user = events()) user->on_acknowledged(*leg_, is_offer ? SessionBody{} : body);
  send_next_provisional();
}

/// A further offer, which goes the way of one in an UPDATE.
void Dialog::take_prack_offer(ServerTransaction& transaction, const SessionBody& body) {
  const bool is_busy = reoffer_server_ != nullptr || reoffer_client_ != nullptr;
  LegEvents* user = events();
  if (is_busy || user == nullptr || !may_change_early_session()) return keep_session(transaction);
  reoffer_server_ = &transaction;
  is_reoffer_empty_ = false;
  user->on_reoffer(*leg_, {Reoffer::Method::update, body});
}

/// An offer in a PRACK cannot be refused (RFC 3262 section 3): it is answered by what was said.
void Dialog::keep_session(ServerTransaction& prack) {
  const std::string_view description = reliability_->held.view();
  const SessionBody same =
      description.empty() ? SessionBody{} : SessionBody{"application/sdp", description};
  Draft draft = begin_response(prack, 200);
  finish_response(prack, 200, draft, same);
}

// Outbound: responses that we get.

void Dialog::write_rel100(MessageWriter& writer) const noexcept {
  if (rel100_ == ExtensionUse::allow) writer.line("Supported: 100rel");
  if (rel100_ == ExtensionUse::require) writer.line("Require: 100rel");
}

bool Dialog::is_sent_reliably(const Message& response) const noexcept {
  return reliability_ != nullptr && response.status > 100 &&
         read_reliable_offer(response).is_required && read_rseq(response) != 0;
}

bool Dialog::take_provisional(ClientTransaction& invite, const Message& response,
                              Progress& progress) {
  Reliability& r = *reliability_;
  BufferPool& buffers = worker_.buffers();
  const std::uint32_t rseq = read_rseq(response);
  auto branch = std::find_if(r.branches.begin(), r.branches.end(), [&](const Branch& known) {
    return known.tag.view() == response.to.tag;
  });
  const bool is_new = branch == r.branches.end();
  if (is_new ? r.branches.size() >= branches_max
             : branch->awaits_answer || rseq != branch->rseq + 1)
    return false;
  if (r.pracks.size() >= pracks_max) return false;
  const bool is_describing = is_sdp(progress.body) && !progress.body.empty();
  const bool is_offer = is_describing && !has_offer_;
  // The caller was shown the offer of another branch, and answers one.
  const bool is_one_too_many =
      is_offer &&
      (r.has_session || std::any_of(r.branches.begin(), r.branches.end(),
                                    [](const Branch& known) { return known.awaits_answer; }));
  if (is_one_too_many) return false;
  if (is_new) {
    branch = r.branches.emplace(r.branches.end());
    branch->tag.assign(buffers, response.to.tag);
    branch->to.assign(buffers, response.to.value);
    std::string routes;
    collect_routes(response, true, routes);
    branch->routes.assign(buffers, routes);
  }
  branch->rseq = rseq;
  const std::string_view target =
      response.contact.uri.empty() ? response.to.uri : response.contact.uri;
  if (is_new || !response.contact.uri.empty()) branch->target.assign(buffers, target);
  if (is_describing) branch->description.assign(buffers, progress.body.bytes);
  if (is_describing && !r.has_session) {
    // Whoever described itself first is who a change of the session goes to.
    remote_.assign(buffers, branch->to.view());
    target_.assign(buffers, branch->target.view());
    routes_.assign(buffers, branch->routes.view());
    r.peer_has_update = read_timer_offer(response).has_update;
    r.has_session = !is_offer;
  }
  branch->awaits_answer = progress.needs_answer = is_offer;
  if (!is_offer) send_prack(invite, *branch, {});
  return true;
}

void Dialog::answer_progress(const SessionBody& body) {
  const Entry entry(*this);
  if (reliability_ == nullptr) return;
  // The 2xx did not wait for it: the ACK brings it.
  if (unacknowledged_.slot != Token::no_slot) return acknowledge(body);
  if (invite_client_ == nullptr || state_ != State::early) return;
  Reliability& r = *reliability_;
  const auto branch = std::find_if(r.branches.begin(), r.branches.end(),
                                   [](const Branch& known) { return known.awaits_answer; });
  if (branch == r.branches.end()) return;
  branch->awaits_answer = false;
  r.has_session = true;
  r.is_offer_answered = true;
  has_offer_ = true;  // what a 2xx needs now is an ACK and nothing more
  keep_description(body);
  send_prack(*invite_client_, *branch, body);
}

void Dialog::send_prack(ClientTransaction& invite, const Branch& branch, const SessionBody& body) {
  Reliability& r = *reliability_;
  const Path path = path_to(branch.target.view(), branch.routes.view());
  const DialogHead head{branch.target.view(), local_.view(), branch.to.view(), call_id_.view(),
                        branch.routes.view()};
  ClientTransaction& prack = worker_.transactions().create_client(Method::prack, this);
  const BranchText via = prack.branch();
  MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
  write_dialog_request(writer, worker_, head, "PRACK", ++local_cseq_, path, via.view());
  writer.header("RAck",
                {std::to_string(branch.rseq), " ", std::to_string(invite.cseq()), " INVITE"});
  writer.finish(body.content_type, body.bytes);
  invite.note_cseq(local_cseq_);
  if (!writer.ok()) {
    worker_.transactions().discard(prack);
    return;
  }
  forget_challenges();
  r.pracks.push_back(&prack);
  prack.start(path, local_cseq_, writer.view());
}

/// A change that waits for the answer of another branch than the one that took the call gets none.
void Dialog::leave_other_branches(const Message& answer) {
  if (reliability_ == nullptr) return;
  if (reliability_->asked_tag.view() != answer.to.tag) remote_cseq_ = 0;  // it counts for itself
  if (reoffer_client_ == nullptr) return;
  NameAddress asked;
  if (parse_name_address(remote_.view(), asked) && asked.tag == answer.to.tag) return;
  let_go(reoffer_client_, {});
  deferred_reoffer_status_ = 491;
  defer();
}

void Dialog::restart_branches() noexcept {
  if (reliability_ == nullptr) return;
  reliability_->branches.clear();
  reliability_->has_session = false;
  if (std::exchange(reliability_->is_offer_answered, false)) has_offer_ = false;
}

/// Before the answer the session is that of one branch; what another one wants of it is not for it.
bool Dialog::is_of_other_branch(const Message& request) const noexcept {
  if (role_ != Role::outbound || state_ > State::cancelled || reliability_ == nullptr) return false;
  NameAddress ours;
  return !parse_name_address(remote_.view(), ours) || ours.tag != request.from.tag;
}

/// What a branch has said of itself before its answer, which then may say nothing.
SessionBody Dialog::described_by(std::string_view tag) const noexcept {
  if (reliability_ == nullptr) return {};
  for (const Branch& branch : reliability_->branches) {
    if (branch.tag.view() == tag && !branch.description.empty())
      return {"application/sdp", branch.description.view()};
  }
  return {};
}

void Dialog::forget_prack(ClientTransaction& transaction) noexcept {
  if (reliability_ == nullptr) return;
  std::erase(reliability_->pracks, &transaction);
}

}  // namespace tandem::sip
