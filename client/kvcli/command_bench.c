/* command_bench.c: the benchmark as a command. */
#include "client/kvcli/bench_report.h"
#include "client/kvcli/bench_run.h"
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"
#include "protocol/base/memory.h"

#include <inttypes.h>

static int report(const struct cli *cli, const struct bench_plan *plan,
                  const struct bench_result *result) {
    uint64_t failures = result->load.counts.failures + result->run.counts.failures;
    const char *first = result->load.counts.failures ? result->load.counts.first_failure
                                                     : result->run.counts.first_failure;

    if (cli->options->json) {
        bench_report_json(plan, result);
    } else {
        bench_report_print(plan, result);
    }
    if (failures > 0) {
        return cli_fail(CLI_FAILED, "%" PRIu64 " requests failed, the first with: %s", failures,
                        first);
    }
    return cli_finish_output();
}

int command_bench(struct cli *cli) {
    struct bench_plan plan;
    struct error error;
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];
    struct bench_result *result = memory_alloc_zeroed(sizeof *result); /* 300 KiB of buckets */
    enum status status;
    int code;

    if (!result) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    code = bench_plan_from(cli->options, &plan);
    if (code != CLI_DONE) {
        memory_free(result);
        return code;
    }
    status = bench_run(&plan, result, &error);
    if (status == STATUS_OK) {
        code = report(cli, &plan, result);
    } else {
        bool no_server =
            status == STATUS_CONNECT || status == STATUS_TIMEOUT || status == STATUS_CLOSED;
        error_format(&error, text, sizeof text);
        code = cli_fail(status == STATUS_INVALID ? CLI_USAGE
                        : no_server              ? CLI_NO_SERVER
                                                 : CLI_FAILED,
                        "%s", text);
    }
    memory_free(result);
    return code;
}
