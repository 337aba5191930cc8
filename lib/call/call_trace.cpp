// What a trace shows of a call beside its messages (O-12): stages, choice of vendors, attempts,
// media, the end.
#include <string>
#include <utility>

#include "call/call.hpp"

namespace tandem::call {
namespace {

void append_change(std::string& text, const char* what, const Number& before, const Number& after) {
  if (before.view() == after.view()) return;
  text += std::string(", ") + what + " " + std::string(before.view()) + " -> " +
          std::string(after.view());
}

/// "received 1500 sent 1498 lost 2 jitter 300 us from 192.0.2.7:4000".
std::string media_text(const MediaSideStats& side) {
  std::string text = "received " + std::to_string(side.packets_received) + ", sent " +
                     std::to_string(side.packets_sent) + ", lost " +
                     std::to_string(side.packets_lost) + ", jitter " +
                     std::to_string(side.jitter_us) + " us";
  if (side.packets_refused != 0) text += ", refused " + std::to_string(side.packets_refused);
  return text + (side.remote.empty() ? std::string(", from nowhere") : ", from " + side.remote);
}

}  // namespace

trace::CallFacts Call::trace_facts() const {
  trace::CallFacts facts;
  facts.source = context_.source;
  facts.caller_in = caller_raw_;
  facts.callee_in = callee_raw_;
  facts.caller = context_.caller.view();
  facts.callee = context_.callee.view();
  if (const Customer* const customer = context_.customer_entry())
    facts.customer = customer->config.id;
  if (context_.called_phone != CallContext::no_phone)
    facts.called_phone = context_.tables->phone_at(context_.called_phone).config.number;
  for (const Attempt& attempt : attempts_)
    facts.vendors.push_back(attempt.vendor_gateway);
  facts.is_judged = !attempts_.empty();
  facts.is_over = is_over_;
  return facts;
}

void Call::trace_note(std::string_view topic, std::string text) {
  if (trace::Tap* const tap = worker_.tap()) tap->note(id_, topic, std::move(text));
}

void Call::trace_arrival() {
  if (trace::Tap* const tap = worker_.tap(); tap != nullptr && tap->is_on())
    is_traced_ = tap->open(id_, inbound_->call_id(), trace_facts());
}

/// `verdict`: of the last stage. One that waits for something is run, and told of, again.
void Call::trace_stages(const std::vector<StageRecord>& stages, const Verdict& verdict) {
  trace::Tap* const tap = worker_.tap();
  if (tap == nullptr) return;
  trace::CallFacts facts = trace_facts();
  facts.is_judged = verdict.kind == Verdict::Kind::go_on || verdict.kind == Verdict::Kind::reject;
  is_traced_ = tap->decide(id_, facts);
  if (!is_traced_) return;
  std::size_t count = stages.size();
  if (!facts.is_judged && count > 0) --count;
  for (std::size_t i = 0; i < count; ++i) {
    const StageRecord& stage = stages[i];
    std::string text = std::string(stage.name) + ": " + stage.verdict;
    append_change(text, "caller", stage.caller_before, stage.caller_after);
    append_change(text, "callee", stage.callee_before, stage.callee_after);
    for (const std::string& rule : stage.rules)
      text += ", " + rule;
    tap->note(id_, "stage", std::move(text));
  }
}

void Call::trace_choice(const CandidatePlan& plan, Reason passed_over, std::string_view rule) {
  const std::string& vendor = context_.tables->vendors[plan.vendor].config.id;
  std::string text = passed_over == Reason::none ? "tries " : "passes over ";
  text += vendor;
  if (passed_over == Reason::none) {
    text += " at " + plan.destination().to_string() + ", caller " +
            std::string(plan.caller_out.view()) + ", callee " + std::string(plan.callee_out.view());
  } else {
    text += std::string(": ") + reason_facts(passed_over).name;
    if (!rule.empty()) text += ", " + std::string(rule);
  }
  trace_note("route", std::move(text));
}

void Call::trace_leg(const Leg& leg) {
  trace::Tap* const tap = worker_.tap();
  if (tap == nullptr) return;
  tap->add_leg(id_, leg.call_id(), attempts_.back().vendor_gateway);
  is_traced_ = tap->decide(id_, trace_facts());
}

void Call::trace_attempt(const Attempt& attempt) {
  std::string text = attempt.vendor_gateway + " ended: " + reason_facts(attempt.reason).name;
  if (attempt.sip_status != 0) text += ", status " + std::to_string(attempt.sip_status);
  if (attempt.q850_cause != 0) text += ", Q.850 cause " + std::to_string(attempt.q850_cause);
  trace_note("attempt", std::move(text));
}

void Call::trace_answer() {
  trace_note("attempt",
             (attempts_.empty() ? std::string("the host") : attempts_.back().vendor_gateway) +
                 " answered");
}

void Call::trace_end(const Ending& ending, const Cdr& cdr) {
  trace::Tap* const tap = worker_.tap();
  if (tap == nullptr) return;
  if (cdr.media_relayed) {
    tap->note(id_, "media", "caller: " + media_text(cdr.media_caller));
    tap->note(id_, "media", "callee: " + media_text(cdr.media_callee));
  }
  const char* const reason = reason_facts(ending.reason).name;
  std::string text = std::string("ended: ") + reason + " by " + release_side_name(ending.side) +
                     ", status " + std::to_string(ending.sip_status) + ", Q.850 cause " +
                     std::to_string(ending.q850_cause);
  if (cdr.answered_at_us != 0) text += ", talked " + std::to_string(cdr.talk_time_ms) + " ms";
  tap->close(id_, trace_facts(), {reason, text});
}

}  // namespace tandem::call
