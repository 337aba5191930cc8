// tandem-switch: a wholesale switch from one configuration file. A host of the library like any
// other: it uses the public headers only.
#include <cstdio>
#include <cstring>

#include "commands.hpp"

namespace {

constexpr const char* usage =
    "usage: tandem-switch COMMAND --config FILE [options]\n"
    "  run                                        take calls until SIGTERM; SIGHUP reloads\n"
    "  check    [--reference]                     name every error of the file; print the key "
    "reference\n"
    "  explain  --from GATEWAY|IP[:PORT] --caller N --callee N [--at TIME] [--table]\n"
    "           [--lrn N] [--callee-region R] [--caller-region R] [--forwarder N]\n"
    "  rate     --deck ID --callee N --seconds N [--at TIME]\n"
    "  cdr      [--since T] [--until T] [--caller N] [--callee N] [--reason NAME] [--limit N]\n"
    "           [--account A] [--customer-gateway G] [--vendor-gateway G] [--answered yes|no]\n"
    "           [--format json|csv|table]         more filters: docs/reports.md\n"
    "           sql SELECT [--limit ROWS]         plain SQL about the table cdrs: docs/sql.md\n"
    "  journal  [--format table|json]             what is in the journal, and what is damaged\n"
    "  maintenance [status | run | seal DAY | verify DAY | archive DAY | restore DAY |\n"
    "               remove DAY | write_columns DAY | drop_columns DAY | rebuild_slots]\n"
    "           [--format table|json]             day files: which there are, and their care\n"
    "           acts [--act NAME] [--day DAY] [--since T] [--until T] [--limit N]   what was done\n"
    "  dispute  begin RECORD_ID --reason TEXT [--author NAME] [--day DAY]   its day is not "
    "deleted\n"
    "           resolve RECORD_ID --reason TEXT [--author NAME]\n"
    "           list [--record ID] [--day DAY] [--open yes|no] [--before ID] [--limit N]\n"
    "  calls, gateways, phones, accounts          ask the running switch over its admin API\n"
    "  bans     [lift USER@ADDRESS|ADDRESS]       who is suspended after wrong passwords\n"
    "  phone-notices [send]                       how they fare; tell the server of all phones\n"
    "  drain                                      take no new calls, go on with the running ones\n"
    "  recording start|stop CALL                  record a running call, by its id in calls\n"
    "           repair FILE                       make a file whole whose writer died\n"
    "  shadow   start (--file PLAN | --deck ID --version N) | report | stop  [--format "
    "table|json]\n"
    "           [--limit ROWS]                    route live calls by other tables too\n"
    "  trace    start [--caller PREFIX] [--callee PREFIX] [--gateway ID] [--source IP[/LENGTH]]\n"
    "           [--phone N] [--duration S] [--calls N] [--bytes N] [--hep] [--memo TEXT]\n"
    "           list | stop TRACE | remove TRACE | show TRACE [CALL] [--output FILE]\n"
    "           [--format ladder|messages|json|pcap]   messages of calls, both legs in one ladder\n"
    "  import   KIND FILE [--deck ID] [--dry-run] [--valid-from T] [--memo TEXT] [--progress]\n"
    "           rates of a partner: --layout auto|WORDS, with --dry-run to look at them first\n"
    "  export   KIND FILE [--deck ID]             accounts, gateways, rates, ...; .csv or .json\n"
    "  remove   KIND ID\n"
    "  deck     versions|rollback|diff|schedule --deck ID [--version N] [--from N --to N]\n"
    "           [--at TIME|none] [--file FILE]\n"
    "  report   margin --sell DECK --buy DECK[,DECK] [--at TIME] [--format json|csv|table]\n"
    "           rerate --deck ID [--side customer|vendor] [--account ID] [--since T] [--until T]\n"
    "           [--apply --reason TEXT [--author NAME] [--dry-run]]\n"
    "           corrections [--record ID] [--account ID] [--since T] [--until T] [--limit N]\n"
    "           ledger, ledger-check, packages\n"
    "           customer-gateways, vendor-gateways, performance, calls, failures, days, areas,\n"
    "           gateway-areas, area-totals, account-statement, phone-statement, area-statement,\n"
    "           ghost-calls [--by none|5min|hour|day|month] [--side customer|vendor]\n"
    "           [--timezone ZONE] [filters of cdr] [--format json|csv|table]\n"
    "  correct  RECORD_ID --reason TEXT [--charge N] [--billed-s N] [--deck ID] [--author NAME]\n"
    "           [--key KEY] [--dry-run]           also --vendor-charge ..., --agent-charge ...\n"
    "  reconcile --gateway ID --since T --until T [--side vendor|customer] [--file CSV --columns "
    "MAP]\n"
    "           [--time-tolerance S] [--duration-tolerance S] [--charge-tolerance N]\n"
    "           [--clock-offset S] [--line PERCENT] [--limit ROWS]   without a file: the other "
    "end\n"
    "Exit status: 0 good, 1 failed, 2 bad usage or configuration.\n";

struct Command {
  const char* name;
  int (*run)(const Options&);
};

constexpr Command commands[] = {{"run", run},
                                {"check", check},
                                {"explain", explain},
                                {"rate", rate},
                                {"cdr", cdr},
                                {"journal", journal},
                                {"maintenance", maintenance},
                                {"dispute", dispute},
                                {"calls", ask},
                                {"gateways", ask},
                                {"phones", ask},
                                {"accounts", ask},
                                {"bans", bans},
                                {"phone-notices", phone_notices},
                                {"drain", drain},
                                {"recording", recording},
                                {"shadow", shadow},
                                {"trace", trace},
                                {"import", import_objects},
                                {"export", export_objects},
                                {"remove", remove_object},
                                {"deck", deck},
                                {"report", report},
                                {"correct", correct},
                                {"reconcile", reconcile}};

}  // namespace

int main(int count, char** words) {
  if (count > 1 && (std::strcmp(words[1], "help") == 0 || std::strcmp(words[1], "--help") == 0)) {
    std::fputs(usage, stdout);
    return status_good;
  }
  if (count > 1 && std::strcmp(words[1], "--version") == 0) {
    std::puts("tandem-switch " TANDEM_VERSION_STRING);
    return status_good;
  }
  const auto options = Options::read(count, words);
  if (!options) return status_usage;
  for (const Command& command : commands) {
    if (options->command() == command.name) return command.run(*options);
  }
  complain("unknown command \"" + options->command() + "\"; see tandem-switch help");
  return status_usage;
}
