// Only the CDR journal with a sink of one's own: records survive a crash and arrive in order.
#include <cstdio>

#include "tandem/cdr.hpp"

class PrintSink final : public tandem::CdrSink {
 public:
  tandem::Result<void> write(const tandem::Cdr& cdr) override {
    std::printf("%s\n", tandem::to_json(cdr).c_str());
    return {};
  }
  tandem::Result<void> flush() override {
    std::fflush(stdout);
    return {};
  }
};

int main() {
  const tandem::SystemClock clock;
  const auto journal = tandem::CdrJournal::open({.folder = "minimal-journal"}, clock);
  if (!journal) {
    std::fprintf(stderr, "%s\n", journal.error().message.c_str());
    return 1;
  }
  if (!(*journal)->add_sink("print", std::make_unique<PrintSink>())) return 1;
  if (!(*journal)->start()) return 1;
  tandem::Cdr cdr;
  cdr.call_id = "abc@192.0.2.1";
  cdr.callee_in = cdr.callee = cdr.callee_out = "442079460000";
  cdr.ended_at_us = clock.wall_us();
  cdr.end_reason = tandem::Reason::NormalCallClearing;
  if (!(*journal)->append(cdr)) return 1;
  (*journal)->close();  // durable, and printed
}
