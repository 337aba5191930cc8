#include <algorithm>
#include <utility>

#include "cdr/journal.hpp"
#include "cdr/sink_runner.hpp"
#include "tandem/cdr.hpp"

namespace tandem {

/// The order of the members is that of their dependence: runners stop before targets and journal
/// go.
struct CdrJournal::Body {
  struct Sink {
    std::string name;
    std::unique_ptr<CdrSink> built_in;         // a sink of ours, which is its own target
    std::unique_ptr<cdr::SinkTarget> adapter;  // else the host's sink in a target
    std::unique_ptr<cdr::SinkRunner> runner;
  };
  const Clock& clock;
  Log* log;
  CdrJournalConfig config;
  std::unique_ptr<cdr::Journal> journal;
  std::vector<Sink> sinks;
  bool is_started = false;
};

CdrJournal::CdrJournal(std::unique_ptr<Body> body) noexcept : body_(std::move(body)) {}

CdrJournal::~CdrJournal() { close(0); }

Result<std::unique_ptr<CdrJournal>> CdrJournal::open(CdrJournalConfig config, const Clock& clock,
                                                     Log* log) {
  cdr::JournalOptions options;
  options.folder = config.folder;
  options.segment_bytes = config.segment_bytes;
  options.queue_records = config.queue_records;
  options.backlog_bytes_max = config.backlog_bytes_max;
  options.threads = config.threads;
  auto journal = cdr::Journal::open(std::move(options), clock, log);
  if (!journal) return std::move(journal).error();
  std::unique_ptr<Body> body(
      new Body{clock, log, std::move(config), std::move(*journal), {}, false});
  return std::unique_ptr<CdrJournal>(new CdrJournal(std::move(body)));
}

Result<void> CdrJournal::add_sink(std::string name, std::unique_ptr<CdrSink> sink,
                                  std::uint32_t set_aside_after) {
  Body& body = *body_;
  if (body.is_started)
    return Error{ErrorCode::wrong_state, "sink \"" + name + "\" came after the start"};
  const bool is_name =
      !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      });
  if (!is_name || sink == nullptr) {
    return Error{ErrorCode::invalid_argument, "\"" + name + "\" was no name of a sink"};
  }
  for (const Body::Sink& other : body.sinks) {
    if (other.name == name)
      return Error{ErrorCode::already_exists, "sink \"" + name + "\" existed"};
  }
  Body::Sink added;
  added.name = name;
  auto* target = dynamic_cast<cdr::SinkTarget*>(sink.get());
  if (target != nullptr) {
    added.built_in = std::move(sink);
  } else {
    added.adapter = cdr::make_host_target(std::make_shared<cdr::PosixDisk>(), body.config.folder,
                                          name, std::move(sink));
    target = added.adapter.get();
  }
  cdr::SinkRunnerOptions options;
  options.name = std::move(name);
  options.set_aside_after = set_aside_after;
  options.disk = std::make_shared<cdr::PosixDisk>();
  options.folder = body.config.folder;
  auto runner =
      cdr::SinkRunner::create(std::move(options), *body.journal, *target, body.clock, body.log);
  if (!runner) return std::move(runner).error();
  added.runner = std::move(*runner);
  body.sinks.push_back(std::move(added));
  return {};
}

Result<void> CdrJournal::start() {
  Body& body = *body_;
  if (auto started = body.journal->start(); !started) return started;
  body.is_started = true;
  if (body.config.threads) {
    for (Body::Sink& sink : body.sinks)
      sink.runner->start_thread();
  }
  return {};
}

Result<std::uint64_t> CdrJournal::append(const Cdr& cdr) {
  return body_->journal->append(cdr::RecordType::end, cdr::encode(cdr::EndRecord{0, cdr}));
}

bool CdrJournal::is_writable() const noexcept { return body_->journal->is_writable(); }

std::uint64_t CdrJournal::durable_id() const noexcept { return body_->journal->durable_sequence(); }

Result<void> CdrJournal::wait_durable(std::uint64_t record_id, std::int64_t timeout_ms) {
  return body_->journal->wait_durable(record_id, timeout_ms);
}

void CdrJournal::pump() {
  if (body_->config.threads) return;
  body_->journal->pump();
  // A sink that fails tells by its state; the others go on.
  for (Body::Sink& sink : body_->sinks)
    (void)sink.runner->pump();
  body_->journal->pump();
}

CdrJournalCounters CdrJournal::counters() const { return body_->journal->counters(); }

std::vector<CdrSinkState> CdrJournal::sinks() const {
  std::vector<CdrSinkState> states;
  for (const Body::Sink& sink : body_->sinks)
    states.push_back(sink.runner->state());
  return states;
}

void CdrJournal::close(std::int64_t drain_ms) {
  Body& body = *body_;
  body.journal->close();
  for (Body::Sink& sink : body.sinks) {
    if (body.config.threads) {
      sink.runner->stop(drain_ms);
    } else {
      (void)sink.runner->pump();
    }
  }
}

}  // namespace tandem
