// Who a REGISTER is from, whether that is true, and what it changes (P-05, S-08).
#pragma once

#include "base/registration.hpp"
#include "call/tables.hpp"
#include "phone/challenge_rounds.hpp"
#include "phone/registrar.hpp"
#include "phone/suspensions.hpp"
#include "tandem/call.hpp"

namespace tandem::call {

struct Commons;

/// Answers a REGISTER by the tables; tells the host what changed. Threading: any call worker.
RegisterReply answer_register(const RegisterRequest& request, const Tables& tables,
                              Commons& commons, const Clock& clock);
/// Takes out those that were reached by a connection that is closed, likewise. Threading: any call
/// worker.
void lose_flow(const FlowId& flow, const Tables& tables, Commons& commons, const Clock& clock);
/// Tells the host of one that left the switch's questions without an answer.
void tell_unanswering(const phone::ExpiredRegistration& gone, const Tables& tables,
                      Commons& commons, const Clock& clock);
/// Takes out registrations that were not renewed and tells the host; once a second on one worker.
void expire_registrations(const Tables& tables, Commons& commons, const Clock& clock);

/// How many challenges one Call-ID may get (P-04).
[[nodiscard]] phone::RoundRules round_rules(const Parameters& parameters) noexcept;
[[nodiscard]] phone::SuspensionRules suspension_rules(const Parameters& parameters) noexcept;
/// Counts a wrong password; the alarm of S-08 goes out when it was one too many.
void note_auth_failure(std::string_view user, const SocketAddress& source,
                       const Parameters& parameters, Commons& commons, const Clock& clock);

/// Sees to it that a registrant's nonces count once, whatever request they come with.
class RegistrantNonces final : public NonceLedger {
 public:
  RegistrantNonces(phone::Registrar& registrar, std::string_view id) noexcept
      : registrar_(registrar), id_(id) {}
  bool use(const NonceUse& use) noexcept override { return registrar_.use_nonce(id_, use); }

 private:
  phone::Registrar& registrar_;
  const std::string_view id_;
};

}  // namespace tandem::call
