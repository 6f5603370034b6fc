import type { AdminServices } from "../admin_services.ts";
import type { Activity } from "./activity.ts";
import type { PageSession, PageSessions } from "./page_sessions.ts";

/** What the routes of the page share. */
export interface PageServices extends AdminServices {
  readonly sessions: PageSessions;
  readonly activity: Activity;
}

/** What the guards leave for the routes behind them. */
export interface PageEnv {
  readonly Variables: {
    /** Present on routes that want a sign-in. */
    readonly session: PageSession;
    /** The fields of a POST. */
    readonly form: URLSearchParams;
  };
}
