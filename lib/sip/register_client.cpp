// Registering at another switch (R-25; RFC 3261 section 10.2).
#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "sip/content.hpp"
#include "sip/register_request.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

int number_in(std::string_view text) noexcept { return parse_integer<int>(text).value_or(0); }

/// Where a user name that has a domain has its '@'; else npos, and the whole is the user.
std::size_t domain_at(std::string_view username) noexcept {
  const std::size_t at = username.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == username.size()) return username.npos;
  const std::string_view domain = username.substr(at + 1);
  const bool is_host = std::all_of(domain.begin(), domain.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-';
  });
  return is_host ? at : username.npos;
}

class RegisterClient final : public OutboundRegistration, private TransactionUser {
 public:
  RegisterClient(StackWorker& worker, const RegistrationOrder& order, RegistrationEvents& events)
      : worker_(worker),
        events_(events),
        destination_(order.destination),
        transport_(transport_of(order.transport).value_or(Transport::udp)),
        tls_peer_(transport_ == Transport::tls ? worker.tls_peer(order.tls) : nullptr),
        username_(order.username),
        password_(order.password),
        peer_(order.peer_name.empty() ? destination_.to_string() : std::string(order.peer_name)),
        user_(order.username.substr(0, domain_at(order.username))),
        domain_(order.username.size() > user_.size()
                    ? std::string(order.username.substr(user_.size() + 1))
                    : peer_),
        call_id_(random_text()),
        failed_(Timer::member<&RegisterClient::fail, RegisterClient>(), this) {}

  ~RegisterClient() override { forget(); }

  void send(int expires_s) override {
    forget();
    expires_s_ = expires_s;
    answered_ = 0;
    tag_ = random_text();
    transmit();
  }

 private:
  /// Refused that often, the password is wrong whatever the challenge says.
  static constexpr int answers_max = 3;

  void transmit() {
    auto path = worker_.transports().path_to(transport_, destination_, {});
    if (!path || worker_.is_full(false)) return fail_later();
    path->tls_peer = tls_peer_;
    const std::string_view parameter = transport_param(transport_);
    own_ = worker_.transports().advertised_text(*path);
    std::string user;
    append_user(user_, user);
    // Who has a domain of its own is registered there, by whatever peer leads there: the private
    // identity of an IMS (3GPP TS 24.229 section 5.1.1.1A) is what it has credentials for.
    const bool has_domain = domain_ != peer_;
    const std::string target = "sip:" + domain_ + std::string(has_domain ? "" : parameter);
    const std::string to = "<sip:" + user + "@" + domain_ + ">";
    const std::string from = to + ";tag=" + tag_;
    std::string credentials;
    if (!challenge_.empty()) {
      auto answer = answer_challenge(challenge_, username_, password_, "REGISTER", target,
                                     ++nonce_count_, worker_.random());
      if (answer) credentials = std::move(answer->value);
    }
    const DialogHead head{target, from, to, call_id_, {}};
    transaction_ = &worker_.transactions().create_client(Method::register_, this);
    const BranchText branch = transaction_->branch();
    MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
    write_dialog_request(writer, worker_, head, "REGISTER", ++cseq_, *path, branch.view());
    writer.header("Contact", {"<sip:", user, "@", own_, parameter, ">"});
    writer.header("Expires", static_cast<std::uint64_t>(expires_s_));
    writer.line("Supported: path");  // so that proxies on the way may name themselves (RFC 3327)
    if (!credentials.empty())
      writer.header(is_proxy_ ? "Proxy-Authorization" : "Authorization", credentials);
    writer.finish();
    if (!writer.ok()) {
      worker_.transactions().discard(*transaction_);
      transaction_ = nullptr;
      return fail_later();
    }
    transaction_->start(*path, cseq_, writer.view());
  }

  void forget() {
    failed_.cancel();
    if (transaction_ != nullptr) transaction_->detach();
    transaction_ = nullptr;
  }
  std::string random_text() {
    const std::uint64_t number = worker_.random().next();
    return std::string(sip::view(
        Token{static_cast<std::uint8_t>(worker_.index()), Token::no_slot, number}.text()));
  }
  void fail_later() { worker_.loop().timers().start(failed_, 0); }
  void fail() { end({}); }
  void end(const RegistrationResult& result) {
    forget();
    events_.on_registration(result);
  }

  /// Takes the challenge of a refusal. False: there is none that another try could answer.
  bool take_challenge(const Message& response) {
    if (username_.empty() || answered_ >= answers_max) return false;
    is_proxy_ = response.status == 407;
    const HeaderId id = is_proxy_ ? HeaderId::proxy_authenticate : HeaderId::www_authenticate;
    for (std::size_t i = 0; i < response.header_count; ++i) {
      if (response.headers[i].id != id) continue;
      const std::string_view challenge = response.headers[i].value;
      const auto answer = answer_challenge(challenge, username_, password_, "REGISTER", "sip:x", 1,
                                           worker_.random());
      if (!answer) continue;
      if (answered_ > 0 && !answer->is_stale) return false;  // answered already: the password
      challenge_ = challenge;
      nonce_count_ = 0;
      ++answered_;
      return true;
    }
    return false;
  }

  /// How long our contact holds: as it says, else as the response says, else as it was asked for.
  [[nodiscard]] int granted_s(const Message& response) const {
    for (std::size_t i = 0; i < response.header_count; ++i) {
      if (response.headers[i].id != HeaderId::contact) continue;
      std::string_view list = response.headers[i].value;
      while (!list.empty()) {
        NameAddress address;
        Uri uri;
        if (!parse_name_address(trimmed(next_element(list)), address) ||
            !parse_uri(address.uri, uri)) {
          continue;
        }
        const auto ip = IpAddress::parse(uri.host);
        const std::uint16_t port = uri.port == 0 ? default_port(transport_) : uri.port;
        if (!ip || SocketAddress{*ip, port}.to_string() != own_) continue;
        const std::string_view expires = find_param(address.params, "expires");
        if (!expires.empty()) return std::max(number_in(expires), 0);
      }
    }
    const Header* const expires = response.find(HeaderId::expires);
    return expires == nullptr ? expires_s_ : std::max(number_in(expires->value), 0);
  }

  [[nodiscard]] bool owns(const Message& response) const noexcept override {
    return response.call_id == call_id_ && response.from.tag == tag_;
  }
  void on_response(ClientTransaction&, const Message& response, const Path&) override {
    if (response.status < 200) return;
    if (transaction_ != nullptr) transaction_->detach();
    transaction_ = nullptr;
    if ((response.status == 401 || response.status == 407) && take_challenge(response))
      return transmit();
    RegistrationResult result;
    result.status = response.status;
    if (response.status < 300) {
      result.expires_s = granted_s(response);
      result.service_route = read_route_values(response, "Service-Route").value_or(std::string());
    }
    if (response.status == 423)
      result.min_expires_s = number_in(find_value(response, "Min-Expires"));
    result.retry_after_s = retry_after_s(response);
    end(result);
  }
  void on_no_response(ClientTransaction&, bool) override { end({}); }
  void on_no_ack(ServerTransaction&) override {}      // of INVITE only
  void on_unanswered(ServerTransaction&) override {}  // of requests that arrive only

  StackWorker& worker_;
  RegistrationEvents& events_;
  const SocketAddress destination_;
  const Transport transport_;
  const io::TlsPeer* const tls_peer_;
  const std::string username_, password_;
  const std::string peer_;
  const std::string user_, domain_;  // of the address-of-record
  const std::string call_id_;
  std::string tag_, own_;
  std::string challenge_;  // of the latest refusal: answered in advance from then on
  bool is_proxy_ = false;
  std::uint32_t nonce_count_ = 0;
  std::uint32_t cseq_ = 0;
  int expires_s_ = 0;
  int answered_ = 0;  // challenges of this send()
  ClientTransaction* transaction_ = nullptr;
  Timer failed_;
};

}  // namespace

std::unique_ptr<OutboundRegistration> StackWorker::registration(const RegistrationOrder& order,
                                                                RegistrationEvents& events) {
  return std::make_unique<RegisterClient>(*this, order, events);
}

}  // namespace tandem::sip
