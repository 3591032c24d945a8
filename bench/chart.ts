export function drawChart(): string {
  return '';
}
