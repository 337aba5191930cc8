// Asking a redirect server: an INVITE that is meant to be answered 3xx (RFC 3261 section 8.3).
#include "sip/outside_request.hpp"
#include "sip/portability.hpp"

namespace tandem::sip {
namespace {

class InviteQuery final : public RedirectQuery, public OutsideRequest {
 public:
  InviteQuery(StackWorker& worker, const RedirectQuestion& question, RedirectEvents& events)
      : OutsideRequest(worker), events_(events), id_(question.id), parameter_(question.parameter) {}

  ~InviteQuery() override {
    if (transaction_ != nullptr) transaction_->abandon();
  }

 private:
  void on_failed() override { end({}); }
  void end(const Redirect& redirect) {
    transaction_ = nullptr;
    events_.on_redirect(id_, redirect);
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

  RedirectEvents& events_;
  const std::uint64_t id_;
  const std::string parameter_;
};

}  // namespace

std::unique_ptr<RedirectQuery> StackWorker::ask_redirect(const RedirectQuestion& question,
                                                         RedirectEvents& events) {
  auto query = std::make_unique<InviteQuery>(*this, question, events);
  OutsideTarget target;
  target.destination = question.destination;
  target.transport = transport_of(question.transport).value_or(Transport::udp);
  target.callee = question.callee;
  target.caller = question.caller;
  query->send(Method::invite, target, allow_line);
  return query;
}

}  // namespace tandem::sip
