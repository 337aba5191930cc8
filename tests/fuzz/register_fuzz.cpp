// Any bytes as a REGISTER: what is read of its contacts is bounded, can be sent in a Request-URI
// and keeps the registrar's promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "phone/registrar.hpp"
#include "sip/register_request.hpp"
#include "sip/writer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static sip::Message message;
  if (sip::scan(bytes, sip::Framing::datagram, message).kind != sip::Fault::Kind::none) return 0;
  if (!message.is_request) return 0;
  // The gate must not be passed by what the stack takes for a REGISTER.
  if ((message.method == sip::Method::register_) != sip::is_register(bytes)) std::abort();
  RegisterRequest request;
  request.source = SocketAddress::parse("192.0.2.1:5060").value();
  request.transport = tandem::SipTransport::udp;
  request.call_id = message.call_id;
  request.cseq = message.cseq;
  std::string_view phrase;
  if (!sip::read_contacts(message, request, phrase)) return 0;
  if (!sip::read_path(message, request, phrase)) return 0;
  if (request.path.size() > sip::path_bytes_max) std::abort();
  if (request.contacts.size() > sip::register_contacts_max) std::abort();
  for (const OfferedContact& contact : request.contacts) {
    if (contact.uri.size() > sip::contact_uri_bytes_max || contact.expires_s < -1 ||
        contact.q_thousandths < 0 || contact.q_thousandths > 1000) {
      std::abort();
    }
    char buffer[2048];
    sip::MessageWriter writer(buffer, sizeof buffer);
    writer.request_line("INVITE", contact.uri);
    writer.header("Contact", {"<", contact.uri, ">"});
    writer.finish();
    if (!writer.ok()) std::abort();
  }
  phone::Registrar registrar;
  phone::RegistrationRules rules;
  rules.contacts_max = 3;
  const auto outcome = registrar.apply("phone:1", request, {1, 1}, rules, 0);
  if (registrar.contacts("phone:1", 0).size() > 3) std::abort();
  if (outcome.status != 200 && registrar.is_online("phone:1", 0)) std::abort();
  if (registrar.apply("phone:1", request, {1, 1}, rules, 0).status == 200 && outcome.status != 200)
    std::abort();
  return 0;
}
