#include "sip/outside_request.hpp"

#include "sip/content.hpp"

namespace tandem::sip {
namespace {

std::string random_text(StackWorker& worker) {
  const std::uint64_t number = worker.random().next();
  return std::string(
      sip::view(Token{static_cast<std::uint8_t>(worker.index()), Token::no_slot, number}.text()));
}

/// A user part and its '@'; "" for none.
std::string user_text(std::string_view user) {
  std::string text;
  append_user(user, text);
  if (!text.empty()) text += '@';
  return text;
}

}  // namespace

OutsideRequest::OutsideRequest(StackWorker& worker)
    : worker_(worker),
      call_id_(random_text(worker)),
      tag_(random_text(worker)),
      failed_(Timer::member<&OutsideRequest::fail, OutsideRequest>(), this) {}

void OutsideRequest::send(Method method, const OutsideTarget& target, std::string_view line) {
  auto path = worker_.transports().path_to(target.transport, target.destination, target.local);
  if (path && !worker_.is_full(false)) {
    if (target.transport == Transport::tls) path->tls_peer = worker_.tls_peer(target.tls);
    const std::string_view own = worker_.transports().advertised_text(*path);
    const std::string peer = user_text(target.callee) + target.destination.to_string();
    const std::string self = user_text(target.caller) + std::string(own);
    const std::string_view parameter = transport_param(target.transport);
    const std::string uri = "sip:" + peer + std::string(parameter);
    const std::string from = "<sip:" + self + ">;tag=" + tag_;
    const std::string to = "<sip:" + peer + ">";
    const DialogHead head{uri, from, to, call_id_, {}};
    transaction_ = &worker_.transactions().create_client(method, this);
    const BranchText branch = transaction_->branch();
    MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
    write_dialog_request(writer, worker_, head, method_name(method), 1, *path, branch.view());
    writer.header("Contact", {"<sip:", self, parameter, ">"});
    writer.line(line);
    writer.finish();
    if (writer.ok()) {
      transaction_->start(*path, 1, writer.view());
      return;
    }
    worker_.transactions().discard(*transaction_);
    transaction_ = nullptr;
  }
  worker_.loop().timers().start(failed_, 0);
}

}  // namespace tandem::sip
