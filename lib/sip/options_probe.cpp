// Asking a peer whether it is there: OPTIONS outside dialogs (RFC 3261 section 11.1).
#include "sip/outside_request.hpp"

namespace tandem::sip {
namespace {

class OptionsProbe final : public Probe, public OutsideRequest {
 public:
  OptionsProbe(StackWorker& worker, ProbeEvents& events)
      : OutsideRequest(worker), events_(events) {}

  ~OptionsProbe() override {
    // What was sent repeats itself until timer F; nobody listens any more.
    if (transaction_ != nullptr) transaction_->detach();
  }

 private:
  void on_failed() override { end(false); }
  void end(bool is_answered) {
    if (transaction_ != nullptr) transaction_->detach();
    transaction_ = nullptr;
    events_.on_probe(*this, is_answered);
  }
  void on_response(ClientTransaction&, const Message& response, const Path&) override {
    if (response.status >= 200) end(true);  // whatever it says, somebody is there
  }
  void on_no_response(ClientTransaction&, bool) override { end(false); }

  ProbeEvents& events_;
};

}  // namespace

std::unique_ptr<Probe> StackWorker::probe(const ProbeOrder& order, ProbeEvents& events) {
  auto probe = std::make_unique<OptionsProbe>(*this, events);
  OutsideTarget target;
  target.destination = order.destination;
  target.transport = transport_of(order.transport).value_or(Transport::udp);
  target.local = order.local;
  target.tls = order.tls;
  probe->send(Method::options, target, accept_line);
  return probe;
}

}  // namespace tandem::sip
