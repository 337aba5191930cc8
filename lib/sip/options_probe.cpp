// Asking a peer whether it is there: OPTIONS outside dialogs (RFC 3261 section 11.1).
#include <string>

#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

class OptionsProbe final : public Probe, private TransactionUser {
 public:
  OptionsProbe(StackWorker& worker, ProbeEvents& events)
      : worker_(worker),
        events_(events),
        call_id_(random_text()),
        tag_(random_text()),
        failed_(Timer::member<&OptionsProbe::fail, OptionsProbe>(), this) {}

  ~OptionsProbe() override {
    // What was sent repeats itself until timer F; nobody listens any more.
    if (transaction_ != nullptr) transaction_->detach();
  }

  void send(const SocketAddress& destination, Transport transport, const SocketAddress& local) {
    auto path = worker_.transports().path_to(transport, destination, local);
    if (!path || worker_.is_full(false)) return fail_later();
    const std::string_view own = worker_.transports().advertised_text(*path);
    const std::string peer = destination.to_string();
    const std::string target =
        "sip:" + peer + (transport == Transport::tcp ? ";transport=tcp" : "");
    const std::string from = "<sip:" + std::string(own) + ">;tag=" + tag_;
    const std::string to = "<sip:" + peer + ">";
    const DialogHead head{target, from, to, call_id_, {}};
    transaction_ = &worker_.transactions().create_client(Method::options, this);
    const BranchText branch = transaction_->branch();
    MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
    write_dialog_request(writer, worker_, head, "OPTIONS", 1, *path, branch.view());
    writer.header("Contact", {"<sip:", own, transport == Transport::tcp ? ";transport=tcp>" : ">"});
    writer.line(accept_line);
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
  void fail() { end(false); }
  void end(bool is_answered) {
    if (transaction_ != nullptr) transaction_->detach();
    transaction_ = nullptr;
    events_.on_probe(*this, is_answered);
  }

  [[nodiscard]] bool owns(const Message& response) const noexcept override {
    return response.call_id == call_id_ && response.from.tag == tag_;
  }
  void on_response(ClientTransaction&, const Message& response, const Path&) override {
    if (response.status >= 200) end(true);  // whatever it says, somebody is there
  }
  void on_no_response(ClientTransaction&, bool) override { end(false); }
  void on_no_ack(ServerTransaction&) override {}      // of INVITE only
  void on_unanswered(ServerTransaction&) override {}  // of requests that arrive only

  StackWorker& worker_;
  ProbeEvents& events_;
  const std::string call_id_;
  const std::string tag_;
  ClientTransaction* transaction_ = nullptr;
  Timer failed_;
};

}  // namespace

std::unique_ptr<Probe> StackWorker::probe(const SocketAddress& destination,
                                          std::string_view transport, const SocketAddress& local,
                                          ProbeEvents& events) {
  auto probe = std::make_unique<OptionsProbe>(*this, events);
  probe->send(destination, equals_ignoring_case(transport, "tcp") ? Transport::tcp : Transport::udp,
              local);
  return probe;
}

}  // namespace tandem::sip
