/** What in an SPDX id or a LicenseRef says that the weights are not for every use: CC-BY-NC, PolyForm Noncommercial, S-Lab, research only. */
const RESTRICTED = /(^|[-. ])NC($|[-. ])|non-?commercial|s-lab|research|academic|proprietary/i;

/** Whether a licence keeps commercial use out. Of alternatives (`A OR B`) one that does not is enough. */
export function isRestricted(licence: string): boolean {
  return licence.split(/\s+OR\s+/).every((one) => RESTRICTED.test(one));
}
