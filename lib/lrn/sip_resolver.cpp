#include "lrn/sip_resolver.hpp"

#include <string>

#include "lrn/number.hpp"
#include "lrn/resolver_state.hpp"
#include "tandem/config.hpp"

namespace tandem::lrn {

bool SipResolver::ask(std::uint64_t id, std::string_view number, unsigned attempt) {
  if (config_.addresses.empty()) return false;
  RedirectQuestion question;
  question.id = id;
  question.destination = server_of(config_, attempt);
  question.transport = config_.transport == SipTransport::tcp ? "tcp" : "udp";
  question.callee = number;
  question.caller = config_.caller;
  question.parameter = config_.region_key;
  queries_[id] = legs_.ask_redirect(question, *this);
  return true;
}

void SipResolver::on_redirect(std::uint64_t id, const Redirect& redirect) {
  const auto found = queries_.find(id);
  if (found == queries_.end()) return;
  const auto query = std::move(found->second);  // it may be destroyed once it has spoken
  queries_.erase(found);
  if (redirect.status == 301 || redirect.status == 302) {
    const Portability& said = redirect.portability;
    const auto record = said.is_dipped || !said.routing_number.empty()
                            ? make_record(said.routing_number, redirect.parameter)
                            : std::nullopt;
    events_.on_attempt_end(id, record ? AttemptEnd::answered : AttemptEnd::refused, record,
                           record ? "" : "Contact had neither a usable rn nor npdi");
    return;
  }
  const bool is_unreachable =
      redirect.status == 0 || redirect.status == 408 || redirect.status / 100 == 5;
  events_.on_attempt_end(
      id, is_unreachable ? AttemptEnd::unreachable : AttemptEnd::refused, std::nullopt,
      redirect.status == 0 ? "no response" : "status " + std::to_string(redirect.status));
}

}  // namespace tandem::lrn
