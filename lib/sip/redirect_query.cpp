// Asking a redirect server: an INVITE that is meant to be answered 3xx (RFC 3261 section 8.3).
#include <string>

#include "sip/content.hpp"
#include "sip/portability.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

class InviteQuery final : public RedirectQuery, private TransactionUser {
 public:
  InviteQuery(StackWorker& worker, const RedirectQuestion& question, RedirectEvents& events)
      : worker_(worker),
        events_(events),
        id_(question.id),
        parameter_(question.parameter),
        call_id_(random_text()),
        tag_(random_text()),
        failed_(Timer::member<&InviteQuery::fail, InviteQuery>(), this) {}

  ~InviteQuery() override {
    if (transaction_ != nullptr) transaction_->abandon();
  }

  void send(const RedirectQuestion& question, Transport transport) {
    auto path = worker_.transports().path_to(transport, question.destination, {});
    if (!path || worker_.is_full(false)) return fail_later();
    const std::string_view own = worker_.transports().advertised_text(*path);
    const std::string peer = question.destination.to_string();
    const bool is_tcp = transport == Transport::tcp;
    std::string number, caller;
    append_user(question.callee, number);
    append_user(question.caller, caller);
    if (!caller.empty()) caller += '@';
    const std::string target = "sip:" + number + "@" + peer + (is_tcp ? ";transport=tcp" : "");
    const std::string from = "<sip:" + caller + std::string(own) + ">;tag=" + tag_;
    const std::string to = "<sip:" + number + "@" + peer + ">";
    const DialogHead head{target, from, to, call_id_, {}};
    transaction_ = &worker_.transactions().create_client(Method::invite, this);
    const BranchText branch = transaction_->branch();
    MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
    write_dialog_request(writer, worker_, head, "INVITE", 1, *path, branch.view());
    writer.header("Contact", {"<sip:", caller, own, is_tcp ? ";transport=tcp>" : ">"});
    writer.line(allow_line);
    writer.finish();
    if (!writer.ok()) {
      worker_.transactions().discard(*transaction_);
      transaction_ = nullptr;
      return fail_later();
    }
    transaction_->start(*path, 1, writer.view());
  }

 private:
  std::string random_text() {
    const std::uint64_t number = worker_.random().next();
    return std::string(sip::view(
        Token{static_cast<std::uint8_t>(worker_.index()), Token::no_slot, number}.text()));
  }
  void fail_later() { worker_.loop().timers().start(failed_, 0); }
  void fail() { end({}); }
  void end(const Redirect& redirect) {
    transaction_ = nullptr;
    events_.on_redirect(id_, redirect);
  }
  [[nodiscard]] bool owns(const Message& response) const noexcept override {
    return response.call_id == call_id_ && response.from.tag == tag_;
  }
  void on_response(ClientTransaction& transaction, const Message& response, const Path&) override {
    if (response.status < 200) return;
    if (response.status < 300) worker_.end_stray_answer(transaction, response);
    Redirect redirect;
    redirect.status = response.status;
    if (response.status >= 300 && response.status < 400) {
      redirect.portability = portability(response.contact.uri);
      redirect.parameter = number_param(response.contact.uri, parameter_);
    }
    end(redirect);
  }
  void on_no_response(ClientTransaction&, bool) override { end({}); }
  void on_no_ack(ServerTransaction&) override {}      // of calls that arrive only
  void on_unanswered(ServerTransaction&) override {}  // of requests that arrive only

  StackWorker& worker_;
  RedirectEvents& events_;
  const std::uint64_t id_;
  const std::string parameter_;
  const std::string call_id_;
  const std::string tag_;
  ClientTransaction* transaction_ = nullptr;
  Timer failed_;
};

}  // namespace

std::unique_ptr<RedirectQuery> StackWorker::ask_redirect(const RedirectQuestion& question,
                                                         RedirectEvents& events) {
  auto query = std::make_unique<InviteQuery>(*this, question, events);
  query->send(question,
              equals_ignoring_case(question.transport, "tcp") ? Transport::tcp : Transport::udp);
  return query;
}

}  // namespace tandem::sip
