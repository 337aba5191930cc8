// A request outside any dialog that is made for its answer alone.
#pragma once

#include <string>
#include <string_view>

#include "sip/transaction.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {

/// Where it goes, and for whom.
struct OutsideTarget {
  SocketAddress destination;
  Transport transport = Transport::udp;
  SocketAddress local;      ///< Listen address to send from; none: the first that fits.
  std::string_view callee;  ///< User part of Request-URI and To; "": none.
  std::string_view caller;  ///< Of From and Contact.
  TlsName tls = {};
};

/// Sends one request and owns its answer. Threading: loop-bound.
class OutsideRequest : protected TransactionUser {
 public:
  explicit OutsideRequest(StackWorker& worker);
  OutsideRequest(const OutsideRequest&) = delete;
  OutsideRequest& operator=(const OutsideRequest&) = delete;

  /// Once. `line`: a further header line. What cannot be sent is told by on_failed() in the next
  /// turn.
  void send(Method method, const OutsideTarget& target, std::string_view line);

 protected:
  ~OutsideRequest() override = default;  ///< The derived class lets go of transaction_.
  virtual void on_failed() = 0;

  [[nodiscard]] bool owns(const Message& response) const noexcept override {
    return response.call_id == call_id_ && response.from.tag == tag_;
  }
  void on_no_ack(ServerTransaction&) override {}      // of calls that arrive only
  void on_unanswered(ServerTransaction&) override {}  // of requests that arrive only

  StackWorker& worker_;
  ClientTransaction* transaction_ = nullptr;

 private:
  void fail() { on_failed(); }

  const std::string call_id_, tag_;
  Timer failed_;
};

}  // namespace tandem::sip
