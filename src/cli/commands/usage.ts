/** Commands about what callers have used. */
import type { UsageReportOptions } from "../usage.ts";
import type { RebuildOptions } from "../usage-rebuild.ts";
import { type Exit, configured, said, type Command, Option } from "./common.ts";

export function addUsageCommands(usage: Command, exit: Exit): void {
  const sums = (name: string, about: string, usual: { by: string; format: string }): void => {
    const by = "month, day, hour, principal, plan, service, route, operation; commas between";
    configured(usage.command(name))
      .description(`${about}; exits 1 for nothing`)
      .option("--from <time>", "from that month, day or hour on: 2026-11, 2026-11-27 (this month)")
      .option("--to <time>", "before that one (now)")
      .option("--by <names>", by, usual.by)
      .option("--principal <name>", "only of authenticator/subject, such as corp/alice")
      .option("--plan <name>", "only on this plan")
      .option("--service <name>", "only of this service")
      .option("--route <name>", "only on this route")
      .option("--operation <name>", "only of this operation or method")
      .addOption(
        new Option("--format <format>", "how")
          .choices(["text", "csv", "json"])
          .default(usual.format),
      )
      .action(async (options: UsageReportOptions) => {
        const { usageReport } = await import("../usage.ts");
        exit(await usageReport(options, said));
      });
  };
  sums("report", "print sums of what was used", { by: "principal", format: "text" });
  sums("export", "print what was used in each hour", {
    by: "hour,principal,plan,service,route,operation",
    format: "csv",
  });
  configured(usage.command("rebuild"))
    .description("make the book of usage anew of the audit log, while no proxy writes it")
    .option("--lose-older", "also where the log does not go back as far as the book", false)
    .action(async (options: RebuildOptions) => {
      const { usageRebuild } = await import("../usage-rebuild.ts");
      exit(await usageRebuild(options, said));
    });
}
